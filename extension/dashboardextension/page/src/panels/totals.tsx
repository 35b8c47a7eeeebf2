// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { bytes, exact, total, written, type Format } from '../format';
import { Panel, type View } from '../panel';
import { errorOf, notReported, totalOf } from '../snapshot';
import { totals, type Total } from '../queries';

const named: Record<Total, { name: string; format: Format }> = {
  messages_sent: { name: 'Messages sent', format: total },
  messages_received: { name: 'Messages received', format: total },
  payload_bytes: { name: 'Payload', format: bytes },
  connections_opened: { name: 'Connections opened', format: total },
  connections_closed: { name: 'Connections closed', format: total },
  connections_dropped: { name: 'Connections dropped', format: total },
  late_events: { name: 'Late events', format: total },
  protocol_violations: { name: 'Protocol violations', format: total },
  backpressure_events: { name: 'Backpressure', format: total },
};

/** Totals is the running totals, which are exact, and what of them fell into the range. */
export function Totals({ view }: { view: View }) {
  const { snapshot } = view;
  const rows = totals.map((total) => ({ total, ...named[total], ...totalOf(snapshot, total) }));
  return (
    <Panel
      name="totals"
      title="Totals"
      error={errorOf(snapshot, 'running', 'before')}
      empty={rows.every((row) => row.running === null) && 'No window in this range.'}
    >
      <table class="totals">
        <caption class="unseen">Totals</caption>
        <thead>
          <tr>
            <td />
            <th scope="col">in this range</th>
            <th scope="col">ever</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.total}>
              <th scope="row">{row.name}</th>
              <td>
                <data
                  value={String(row.added ?? '')}
                  title={written(row.added, exact)}
                  data-number={row.total + '.added'}
                >
                  {row.running === null ? notReported : written(row.added, row.format)}
                </data>
              </td>
              <td>
                <data value={String(row.running ?? '')} title={written(row.running, exact)} data-number={row.total}>
                  {written(row.running, row.format)}
                </data>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
