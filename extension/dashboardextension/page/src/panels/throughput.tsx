// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { rowsOf } from '../export';
import { EChart, type Option } from '../echart';
import { bytesPerSecond, moment, scaleTo, written } from '../format';
import { windowsAt } from '../investigation';
import { Big, emptyText, isPartial, Panel, type View } from '../panel';
import { errorOf, numberOf, valuesOf } from '../snapshot';
import type { Palette } from '../theme';

/** Throughput is the gauge of payload bytes per second, against the peak of the range. */
export function Throughput({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const values = useMemo(() => valuesOf(snapshot, 'throughput'), [snapshot]);
  const now = numberOf(snapshot, 'now', 'throughput');
  const peak = Math.max(now ?? 0, ...values.map((value) => value ?? 0));
  const option = useMemo(() => optionOf(now, peak, palette), [now, peak, palette]);
  const none = now === null && values.every((value) => value === null);
  return (
    <Panel
      name="throughput"
      title="Payload throughput"
      error={errorOf(snapshot, 'throughput')}
      empty={none && emptyText(snapshot)}
      image
      onEvents={() => {
        const { from, to } = windowsAt(snapshot.grid.newest, snapshot.grid, snapshot.schedule);
        view.onEvents(from, to, 'messages');
      }}
      rows={() => rowsOf([{ name: 'throughput, bytes per second', values }], snapshot.grid)}
      table={() => (
        <table>
          <caption class="unseen">Payload throughput</caption>
          <thead>
            <tr>
              <th scope="col">Until</th>
              <th scope="col">throughput</th>
            </tr>
          </thead>
          <tbody>
            {snapshot.grid.points
              .map((point, index) => (
                <tr key={point}>
                  <th scope="row">{moment(Math.min(point, snapshot.grid.newest), snapshot.taken)}</th>
                  <td>{written(values[index], bytesPerSecond)}</td>
                </tr>
              ))
              .reverse()}
          </tbody>
        </table>
      )}
    >
      <div class="gauge">
        <EChart
          option={option}
          label={`Payload throughput: ${written(now, bytesPerSecond)}, at most ${written(peak, bytesPerSecond)} in this range.`}
        />
        <div class="reading">
          <Big value={now} format={bytesPerSecond} name="throughput" partial={isPartial(view)} snapshot={snapshot} />
        </div>
        <p class="note">
          peak <b>{written(peak, bytesPerSecond)}</b> · scale to {written(scaleTo(peak), bytesPerSecond)}
        </p>
      </div>
    </Panel>
  );
}

function optionOf(now: number | null, peak: number, palette: Palette): Option {
  const max = scaleTo(peak);
  const mark = Math.min(1, peak / max);
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    series: [
      {
        type: 'gauge',
        silent: true,
        center: ['50%', '58%'],
        radius: '92%',
        startAngle: 205,
        endAngle: -25,
        min: 0,
        max,
        splitNumber: 1,
        pointer: { show: false },
        anchor: { show: false },
        title: { show: false },
        detail: { show: false },
        axisTick: { show: false },
        splitLine: { show: false },
        axisLabel: { show: false },
        axisLine: {
          lineStyle: {
            width: 18,
            // The track, with a notch where the peak is.
            color: [
              [Math.max(0, mark - 0.006), palette.track],
              [mark, palette.text],
              [1, palette.track],
            ],
          },
        },
        progress: { show: true, width: 18, itemStyle: { color: palette.main } },
        data: now === null ? [] : [{ value: now }],
      },
    ],
  };
}
