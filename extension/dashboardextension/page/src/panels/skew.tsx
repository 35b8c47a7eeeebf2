// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { milliseconds } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, linesBy, thresholdOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Skew is how far the platform's clock is from ours, for the regions where it is farthest. */
export function Skew({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo((): Drawn[] => {
    const threshold = valuesOf(snapshot, 'skew', 'threshold');
    const limit = { colour: palette.limit, shape: 'dashed' } as const;
    return [
      ...linesBy(snapshot, 'skew', 'skew', 'region').map((line, index): Drawn => ({
        ...line,
        colour: palette.lines[index % palette.lines.length]!,
        shape: 'line',
      })),
      { ...limit, name: thresholdOf(snapshot, 'skew'), values: threshold },
      { ...limit, name: 'threshold below', values: threshold.map((value) => value && -value), unlisted: true },
    ];
  }, [snapshot, palette]);
  return (
    <TimePanel
      name="skew"
      title="Clock skew"
      note="positive: the platform’s clock is ahead"
      view={view}
      focus="clock"
      lines={lines}
      format={milliseconds}
      atLeast={50}
      error={errorOf(snapshot, 'skew')}
      empty={
        lines.every((line) => line.values.every((value) => value === null)) &&
        'No stream in this range has its clock measured. The drift processor does that.'
      }
    />
  );
}
