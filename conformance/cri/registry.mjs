// An image registry on 127.0.0.1:5000 that serves pulls for any host name: registry.mjs ROOTFS PROGRAMS
import { createServer } from 'node:http';
import { Images } from './images.mjs';

const [rootfs, programs] = process.argv.slice(2);
const images = new Images(rootfs, programs);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://registry');
  const send = (status, headers, body) => {
    response.writeHead(status, { 'Content-Length': body.length, ...headers });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  const missing = () => send(404, { 'Content-Type': 'application/json' }, Buffer.from('{"errors":[]}'));
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, {}, Buffer.alloc(0));
  if (pathname === '/v2/') return send(200, { 'Content-Type': 'application/json' }, Buffer.from('{}'));
  const [, name, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
  if (kind === 'manifests') {
    const found = images.manifest(name, reference);
    if (!found) return missing();
    return send(200, { 'Content-Type': found.mediaType, 'Docker-Content-Digest': found.digest }, found.bytes);
  }
  const blob = kind === 'blobs' && images.blobs.get(reference);
  if (!blob) return missing();
  return send(200, { 'Content-Type': 'application/octet-stream', 'Docker-Content-Digest': reference }, blob);
});
server.listen(5000, '127.0.0.1', () => console.log('listens'));
