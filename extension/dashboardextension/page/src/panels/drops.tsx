// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { percent } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, limitsOf, numberOf, thresholdOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Drops is the drop rate of all and of the worst series, with the threshold that is watched. */
export function Drops({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo(
    (): Drawn[] => [
      { name: 'worst series', values: valuesOf(snapshot, 'drops', 'worst'), colour: palette.lines[1]!, shape: 'line' },
      { name: 'all', values: valuesOf(snapshot, 'drops', 'all'), colour: palette.main, shape: 'area' },
      { name: 'judged by the rule', values: valuesOf(snapshot, 'drops', 'judged'), colour: palette.lines[2]!, shape: 'line' },
      ...limitsOf(snapshot, 'drops', 'threshold').map((line): Drawn => ({
        ...line,
        name: thresholdOf(snapshot, 'drops'),
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
      note="connections that closed abnormally, of those open. The threshold applies to what the rule judges, for as many windows as its “for”"
      view={view}
      focus="drops"
      lines={lines}
      format={percent}
      atLeast={1}
      marked="dropped sessions with a trace"
      error={errorOf(snapshot, 'drops')}
      big={{ value: numberOf(snapshot, 'now', 'drops'), format: percent, name: 'drops' }}
    />
  );
}
