// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { exact, percent, written } from '../format';
import { Panel, type View } from '../panel';
import { errorOf, regionsOf } from '../snapshot';

/** Regions ranks the regions by their drops in the range; each can be chosen. */
export function Regions({ view, onChoose }: { view: View; onChoose: (region: string) => void }) {
  const { snapshot } = view;
  const regions = regionsOf(snapshot);
  const most = Math.max(1, ...regions.map((one) => one.dropped));
  return (
    <Panel
      name="regions"
      title="Regions by drops"
      note="in this range; choose one to see it alone"
      error={errorOf(snapshot, 'regions')}
      empty={regions.length === 0 && 'No platform in this range reports drops.'}
    >
      <table class="busiest">
        <caption class="unseen">Regions by drops</caption>
        <thead>
          <tr>
            <th scope="col">Region</th>
            <td class="bar" />
            <th scope="col">Drops</th>
            <th scope="col">Closed</th>
            <th scope="col">Drops of closed</th>
          </tr>
        </thead>
        <tbody>
          {regions.map((one) => (
            <tr key={one.region}>
              <th scope="row">
                <button type="button" class="link" onClick={() => onChoose(one.region)}>
                  {one.region || 'other regions'}
                </button>
              </th>
              <td class="bar" aria-hidden="true">
                <svg viewBox="0 0 100 8" preserveAspectRatio="none">
                  <rect width={(100 * one.dropped) / most} height="8" />
                </svg>
              </td>
              <td data-number={'dropped ' + one.region}>{written(one.dropped, exact)}</td>
              <td>{written(one.closed, exact)}</td>
              <td>{one.closed ? written((100 * one.dropped) / one.closed, percent) : ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
