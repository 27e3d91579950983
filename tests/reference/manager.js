// The class that the reference server's tests use, over `memlatch mcp --graph`: each call is a server of its own.
import { spawnSync } from 'node:child_process';

export class KnowledgeGraphManager {
  constructor(file) {
    this.file = file;
  }

  call(name, args) {
    const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } };
    const env = { ...process.env, MEMORY_FILE_PATH: this.file };
    const server = spawnSync(process.env.MEMLATCH, ['mcp', '--graph'], { input: JSON.stringify(request) + '\n', env });
    const { result, error } = JSON.parse(server.stdout.toString());
    if (error) throw new Error(error.message);
    if (result.isError) throw new Error(result.content[0].text);
    return result.structuredContent;
  }

  async createEntities(entities) {
    return this.call('create_entities', { entities }).entities;
  }

  async createRelations(relations) {
    return this.call('create_relations', { relations }).relations;
  }

  async addObservations(observations) {
    return this.call('add_observations', { observations }).results;
  }

  async deleteEntities(entityNames) {
    this.call('delete_entities', { entityNames });
  }

  async deleteObservations(deletions) {
    this.call('delete_observations', { deletions });
  }

  async deleteRelations(relations) {
    this.call('delete_relations', { relations });
  }

  async readGraph() {
    return this.call('read_graph', {});
  }

  async searchNodes(query) {
    return this.call('search_nodes', { query });
  }

  async openNodes(names) {
    return this.call('open_nodes', { names });
  }
}
