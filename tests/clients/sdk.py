"""A session of the official Python client with `memlatch mcp`, in a process of its own: sdk.py FOLDER MODE CALLS.

Prints what was seen as JSON. The client checks results against the schemas that the server gives.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters, stdio_client


async def main(folder, mode, calls):
    server = stdio_client(StdioServerParameters(command="memlatch", args=["mcp", "--root", folder]))
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        updates = [client.call_tool("memory_update", {"file": "x.json", "filter": ".n += 1"}) for _ in range(int(calls))]
        updated = await asyncio.gather(*updates)
        read = await client.call_tool("memory_read", {"file": "x.json", "filter": ".n"})
        bad = await client.call_tool("memory_update", {"file": "x.json", "filter": ".n +"})
        resources = (await client.list_resources()).resources
        content = await client.read_resource(str(resources[0].uri))
        print(json.dumps({
            "version": str(client.protocol_version),
            "tools": [tool.name for tool in tools],
            "updated": sum(not result.is_error for result in updated),
            "read": read.structured_content,
            "bad": bad.is_error,
            "resource": content.contents[0].text,
        }))


asyncio.run(main(*sys.argv[1:]))
