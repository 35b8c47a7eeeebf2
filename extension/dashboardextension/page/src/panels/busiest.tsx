// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { exact, percent, perSecond, written } from '../format';
import { Panel, type View } from '../panel';
import { busiestOf, errorOf, notReported, type Busy } from '../snapshot';

/** Busiest is the series with most connections; each can be chosen. */
export function Busiest({ view, onChoose }: { view: View; onChoose: (series: Busy) => void }) {
  const { snapshot } = view;
  const series = busiestOf(snapshot);
  const most = Math.max(1, ...series.map((one) => one.connections));
  return (
    <Panel
      name="busiest"
      title="Busiest series"
      note="choose one to see it alone"
      error={errorOf(snapshot, 'busiest')}
      empty={series.length === 0 && 'No series has an open connection in the newest window.'}
    >
      <table class="busiest">
        <caption class="unseen">Busiest series</caption>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <td class="bar" />
            <th scope="col">Connections</th>
            <th scope="col">Messages</th>
            <th scope="col">Drop rate</th>
          </tr>
        </thead>
        <tbody>
          {series.map((one) => (
            <tr key={[one.region, one.tenant, one.channel].join('\n')}>
              <th scope="row">
                <button type="button" class="link" onClick={() => onChoose(one)}>
                  {[one.region, one.tenant, one.channel].filter(Boolean).join(' · ') || 'other series'}
                </button>
              </th>
              <td class="bar" aria-hidden="true">
                <svg viewBox="0 0 100 8" preserveAspectRatio="none">
                  <rect width={(100 * one.connections) / most} height="8" />
                </svg>
              </td>
              <td>{written(one.connections, exact)}</td>
              <td>{written(one.messages, perSecond)}</td>
              <td>{one.drops === null ? notReported : written(one.drops, percent)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
