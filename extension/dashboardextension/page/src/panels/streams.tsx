// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { duration, exact, moment, written } from '../format';
import { windowsAt } from '../investigation';
import { Panel, type View } from '../panel';
import { errorOf, numberOf, streamsOf, type Snapshot, type Stream } from '../snapshot';
import { limits } from '../queries';

/** Streams is the health of every stream: which of its windows are there and complete. */
export function Streams({ view }: { view: View }) {
  const { snapshot } = view;
  const streams = streamsOf(snapshot);
  const rows = streams.slice(0, limits.rows);
  const others = (numberOf(snapshot, 'streams', 'number') ?? streams.length) - rows.length;
  return (
    <Panel
      name="streams"
      title="Stream health"
      error={errorOf(snapshot, 'streams', 'rows')}
      empty={streams.length === 0 && 'No stream has been seen in the last day.'}
      onEvents={() => {
        const { from, to } = windowsAt(snapshot.grid.newest, snapshot.grid, snapshot.schedule);
        view.onEvents(from, to, 'trouble');
      }}
      table={() => <Table streams={streams} snapshot={snapshot} />}
      head={
        <ul class="legend">
          <li>
            <i class="key complete" /> complete
          </li>
          <li>
            <i class="key partial" /> incomplete
          </li>
          <li title="Opened and closed connections were asked for afterwards; messages stay unknown.">
            <i class="key healed" /> gap, healed
          </li>
          <li>
            <i class="key none" /> no window
          </li>
        </ul>
      }
    >
      <ol class="rows">
        {rows.map((stream) => (
          <Row key={stream.region + '\n' + stream.tenant} stream={stream} snapshot={snapshot} />
        ))}
      </ol>
      {others > 0 && <p class="note">and {exact(others).text} more, none of them worse</p>}
    </Panel>
  );
}

const height = { complete: 6, partial: 14, healed: 14, none: 14 };

function Row({ stream, snapshot }: { stream: Stream; snapshot: Snapshot }) {
  const { from, to } = snapshot.grid;
  const at = (time: number) => (1000 * (time - from)) / (to - from);
  return (
    <li class={stream.state} data-stream={stream.region + '/' + stream.tenant}>
      <span class="name">
        <b>{stream.region}</b> {stream.tenant}
      </span>
      <svg viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">
        {stream.runs.map((run) => (
          <rect
            key={run.from}
            class={run.kind}
            x={at(run.from)}
            width={at(run.to) - at(run.from)}
            y={(14 - height[run.kind]) / 2}
            height={height[run.kind]}
          />
        ))}
      </svg>
      <span class="state">{stateText(stream, snapshot)}</span>
    </li>
  );
}

function stateText(stream: Stream, snapshot: Snapshot): string {
  switch (stream.state) {
    case 'stopped':
      return 'stopped ' + duration(snapshot.grid.newest - stream.seen) + ' ago';
    case 'quiet':
      return 'quiet since ' + moment(stream.seen, snapshot.taken);
    default:
      return stream.state;
  }
}

function Table({ streams, snapshot }: { streams: Stream[]; snapshot: Snapshot }) {
  return (
    <table>
      <caption class="unseen">Stream health</caption>
      <thead>
        <tr>
          <th scope="col">Region</th>
          <th scope="col">Tenant</th>
          <th scope="col">State</th>
          <th scope="col">Last window</th>
          <th scope="col">Connections</th>
        </tr>
      </thead>
      <tbody>
        {streams.map((stream) => (
          <tr key={stream.region + '\n' + stream.tenant}>
            <th scope="row">{stream.region}</th>
            <td>{stream.tenant}</td>
            <td>{stateText(stream, snapshot)}</td>
            <td>{moment(stream.seen, snapshot.taken)}</td>
            <td>{written(stream.connections, exact)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
