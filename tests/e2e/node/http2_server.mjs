// An HTTP/2 server over cleartext for tests of the client. Prints its port, then one JSON line for
// each thing worth knowing.
import crypto from 'node:crypto';
import http2 from 'node:http2';

const server = http2.createServer();
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');

server.on('session', (session) => {
  session.on('error', (error) => say({ sessionError: error.message }));
  session.on('remoteSettings', (settings) => say({ enablePush: settings.enablePush }));
});

function pushPage(stream) {
  stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload; as=style' });
  for (const [path, body] of [['/style.css', 'body { margin: 0 }\n'], ['/app.js', 'run()\n']]) {
    if (!stream.pushAllowed) break;
    stream.pushStream({ ':path': path }, (error, pushed) => {
      if (error) return say({ pushError: error.message });
      pushed.on('error', () => {});
      pushed.on('close', () => say({ pushClosed: path, code: pushed.rstCode }));
      pushed.respond({ ':status': 200, 'content-type': 'text/plain' });
      // A refusal arrives before the end.
      setTimeout(() => pushed.end(body), 50);
    });
  }
  stream.respond({ ':status': 200, 'content-type': 'text/html' });
  stream.end('<p>page</p>\n');
}

server.on('stream', (stream, headers) => {
  const path = headers[':path'];
  stream.on('error', () => {});
  say({ request: path, method: headers[':method'], headers });
  if (path === '/push') {
    pushPage(stream);
  } else if (path === '/trailers') {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }));
    stream.end('with trailers\n');
  } else if (path === '/hash') {
    const hash = crypto.createHash('sha256');
    let length = 0;
    stream.on('data', (chunk) => { length += chunk.length; hash.update(chunk); });
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end(`${length} ${hash.digest('hex')}\n`);
    });
  } else if (path === '/slow') {
    setTimeout(() => { stream.respond({ ':status': 200 }); stream.end('slow\n'); }, 300);
  } else {
    stream.respond({ ':status': 200 });
    stream.end(`${headers[':method']} ${path}\n`);
  }
});

server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
