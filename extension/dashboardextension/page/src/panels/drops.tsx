// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { percent } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, limitsOf, numberOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Drops is the drop rate of all and of the worst series, with the threshold that is watched. */
export function Drops({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo(
    (): Drawn[] => [
      { name: 'worst series', values: valuesOf(snapshot, 'drops', 'worst'), colour: palette.lines[1]!, shape: 'line' },
      { name: 'all', values: valuesOf(snapshot, 'drops', 'all'), colour: palette.main, shape: 'area' },
      ...limitsOf(snapshot, 'drops', 'threshold').map((line): Drawn => ({
        ...line,
        colour: palette.limit,
        shape: 'dashed',
      })),
    ],
    [snapshot, palette],
  );
  return (
    <TimePanel
      name="drops"
      title="Drop rate"
      note="connections that closed abnormally, of those open. A rule may judge the mean of several series, over several windows"
      view={view}
      lines={lines}
      format={percent}
      atLeast={1}
      error={errorOf(snapshot, 'drops')}
      big={{ value: numberOf(snapshot, 'now', 'drops'), format: percent, name: 'drops' }}
    />
  );
}
