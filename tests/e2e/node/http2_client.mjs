// Usage: node http2_client.mjs URL CA_FILE accept|refuse|off
// Prints one JSON object: what the client saw, in order, and what it received.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';

const [url, caFile, pushes] = process.argv.slice(2);
const { origin, pathname, search } = new URL(url);
const seen = { events: [], informational: [], pushed: {}, body: '', status: 0, trailers: {} };

const session = http2.connect(origin, {
  ca: readFileSync(caFile),
  settings: { enablePush: pushes !== 'off' },
});
session.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});

let open = 1;
function done() {
  open -= 1;
  if (open === 0) session.close();
}

function collect(stream, take) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => take(Buffer.concat(parts).toString()));
  stream.on('close', done);
  stream.on('error', (error) => seen.events.push(`error ${error.code}`));
}

session.on('stream', (stream, requestHeaders) => {
  const path = requestHeaders[':path'];
  seen.events.push(`promise ${path}`);
  open += 1;
  if (pushes === 'refuse') {
    stream.on('close', done);
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  seen.pushed[path] = { request: requestHeaders, id: stream.id };
  stream.on('push', (headers) => {
    seen.events.push(`push ${path}`);
    seen.pushed[path].status = headers[':status'];
  });
  collect(stream, (body) => {
    seen.pushed[path].body = body;
  });
});

const request = session.request({ ':path': pathname + search });
request.on('headers', (headers) => {
  seen.events.push(`informational ${headers[':status']}`);
  seen.informational.push(headers.link);
});
request.on('response', (headers) => {
  seen.events.push(`response ${headers[':status']}`);
  seen.status = headers[':status'];
});
request.on('trailers', (headers) => {
  seen.trailers = headers;
});
collect(request, (body) => {
  seen.body = body;
});
session.on('close', () => console.log(JSON.stringify(seen)));
