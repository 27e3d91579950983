"""What AI clients and models say to each other: Anthropic's Messages, OpenAI's Chat Completions and Responses, and Gemini's
generateContent, as far as a scripted model needs them.

Each protocol reads a request into the same terms, and writes an answer, whole or as a stream of events. Not for HTTP.
"""

import json
import uuid
from dataclasses import dataclass, field


@dataclass
class Request:
    """What a client asks of the model."""

    model: str
    streams: bool
    tools: set = field(default_factory=set)  # names, as they are offered
    freeform: set = field(default_factory=set)  # of these, the ones that take text instead of JSON
    prompt: str = ""  # the last one of the user
    rounds: list = field(default_factory=list)  # since then, for each answer with calls what each call came to
    wants_json: bool = False


def text_of(content):
    """The text of a message, joined from its parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(text_of, content)))
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or content.get("output") or "")
    return ""


class Rounds:
    """Puts what calls came to in the order in which they were made."""

    def __init__(self):
        self.calls, self.results = [], {}

    def made(self, ids):
        if ids:
            self.calls.append(ids)

    def forget(self):
        self.calls, self.results = [], {}

    def all(self):
        return [[self.results.get(call) for call in calls] for calls in self.calls]


class Messages:
    """Anthropic's Messages: POST /v1/messages."""

    @staticmethod
    def read(body, _path):
        request = Request(body.get("model", ""), bool(body.get("stream")))
        request.tools = {tool["name"] for tool in body.get("tools", []) if "name" in tool}
        request.wants_json = bool(body.get("output_config", {}).get("format"))
        rounds = Rounds()
        for message in body.get("messages", []):
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            results = [part for part in parts if part["type"] == "tool_result"]
            if message["role"] == "assistant":
                rounds.made([part["id"] for part in parts if part["type"] == "tool_use"])
            elif results:
                rounds.results |= {part["tool_use_id"]: text_of(part.get("content")) for part in results}
            elif message["role"] == "user":
                request.prompt = text_of(parts)
                rounds.forget()
        request.rounds = rounds.all()
        return request

    @staticmethod
    def answer(request, text, calls):
        blocks = [{"type": "text", "text": text}] if text else []
        blocks += [{"type": "tool_use", "id": call, "name": name, "input": given} for call, name, given in calls]
        usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        reason = "tool_use" if calls else "end_turn"
        message = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": request.model,
                   "content": blocks, "stop_reason": reason, "stop_sequence": None, "usage": usage}
        events = [{"type": "message_start", "message": message | {"content": [], "stop_reason": None}}]
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                empty, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                empty, delta = block | {"input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        end = {"stop_reason": reason, "stop_sequence": None}
        events += [{"type": "message_delta", "delta": end, "usage": usage}, {"type": "message_stop"}]
        return message, [(event["type"], event) for event in events]


class Chat:
    """OpenAI's Chat Completions: POST /v1/chat/completions."""

    @staticmethod
    def read(body, _path):
        request = Request(body.get("model", ""), bool(body.get("stream")))
        request.tools = {tool["function"]["name"] for tool in body.get("tools", [])}
        rounds = Rounds()
        for message in body.get("messages", []):
            if message["role"] == "user":
                request.prompt = text_of(message["content"])
                rounds.forget()
            elif message["role"] == "assistant":
                rounds.made([call["id"] for call in message.get("tool_calls") or []])
            elif message["role"] == "tool":
                rounds.results[message["tool_call_id"]] = text_of(message["content"])
        request.rounds = rounds.all()
        return request

    @staticmethod
    def answer(request, text, calls):
        made = [{"index": index, "id": call, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                for index, (call, name, given) in enumerate(calls)]
        message = {"role": "assistant", "content": text or None} | ({"tool_calls": made} if made else {})
        common = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": 0, "model": request.model}
        usage = {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        reason = "tool_calls" if made else "stop"
        whole = common | usage | {"object": "chat.completion",
                                  "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
        chunk = common | {"object": "chat.completion.chunk"}
        first = chunk | {"choices": [{"index": 0, "delta": message, "finish_reason": None}]}
        last = chunk | usage | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        return whole, [(None, first), (None, last), (None, "[DONE]")]


class Responses:
    """OpenAI's Responses: POST /v1/responses."""

    @staticmethod
    def read(body, _path):
        request = Request(body.get("model", ""), bool(body.get("stream")))
        for tool in body.get("tools", []):
            name = tool.get("name") or tool["type"]
            # The tools of MCP servers come together under their server's name.
            request.tools |= {f"{name}/{one['name']}" for one in tool.get("tools", []) if "name" in one} | {name}
            if tool["type"] == "custom":
                request.freeform.add(name)
        rounds, calls = Rounds(), []
        items = body["input"] if isinstance(body.get("input"), list) else []
        for item in items:
            kind = item.get("type", "message")
            if kind.endswith("_call") and "call_id" in item:
                calls.append(item["call_id"])
                continue
            if kind == "reasoning":
                continue
            rounds.made(calls)
            calls = []
            if kind.endswith("_call_output"):
                rounds.results[item["call_id"]] = text_of(item.get("output"))
            elif kind == "message" and item.get("role") == "user":
                request.prompt = text_of(item["content"])
                rounds.forget()
        rounds.made(calls)
        request.rounds = rounds.all()
        return request

    @staticmethod
    def answer(request, text, calls):
        items = []
        if text:
            items.append({"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "status": "completed",
                          "content": [{"type": "output_text", "text": text, "annotations": []}]})
        for call, name, given in calls:
            item = {"id": f"item_{call}", "call_id": call, "status": "completed"}
            space, _, short = name.rpartition("/")
            if name in request.freeform:
                items.append(item | {"type": "custom_tool_call", "name": name, "input": given})
            else:
                space = {"namespace": space} if space else {}
                items.append(item | {"type": "function_call", "name": short, "arguments": json.dumps(given)} | space)
        usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
                 "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}
        whole = {"id": f"resp_{uuid.uuid4().hex}", "object": "response", "created_at": 0, "status": "completed",
                 "model": request.model, "output": items, "usage": usage}
        events = [{"type": "response.created", "response": whole | {"status": "in_progress", "output": []}}]
        for index, item in enumerate(items):
            events += [{"type": f"response.output_item.{step}", "output_index": index, "item": item} for step in ("added", "done")]
        events.append({"type": "response.completed", "response": whole})
        return whole, [(event["type"], event | {"sequence_number": number}) for number, event in enumerate(events)]


class Gemini:
    """Gemini's POST /v1beta/models/MODEL:generateContent and :streamGenerateContent."""

    @staticmethod
    def read(body, path):
        model, _, verb = path.rpartition("/")[2].partition(":")
        request = Request(model, verb.startswith("stream"))
        for tool in body.get("tools") or []:
            request.tools |= {function["name"] for function in tool.get("functionDeclarations", [])}
        request.wants_json = bool((body.get("generationConfig") or {}).get("responseMimeType") == "application/json")
        # A call need not have an identifier here: results come in the order of the calls.
        for message in body.get("contents", []):
            parts = message.get("parts", [])
            results = [part["functionResponse"] for part in parts if "functionResponse" in part]
            made = [part for part in parts if "functionCall" in part]
            if message.get("role") == "model" and made:
                request.rounds.append([])
            elif results and request.rounds:
                request.rounds[-1] += [json.dumps(result.get("response"), ensure_ascii=False) for result in results]
            elif message.get("role") == "user" and not results:
                request.prompt, request.rounds = text_of(parts), []
        return request

    @staticmethod
    def answer(request, text, calls):
        parts = [{"text": text}] if text else []
        parts += [{"functionCall": {"id": call, "name": name, "args": given}} for call, name, given in calls]
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        whole = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
                 "usageMetadata": usage, "modelVersion": request.model, "responseId": uuid.uuid4().hex}
        return whole, [(None, whole)]


def of(path):
    """The protocol that is spoken at a path of the server, if one is."""
    if path.endswith("/messages"):
        return Messages
    if path.endswith("/chat/completions"):
        return Chat
    if path.endswith("/responses"):
        return Responses
    if path.endswith((":generateContent", ":streamGenerateContent")):
        return Gemini
    return None
