// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { useMemo } from 'preact/hooks';

import { count } from '../format';
import { TimePanel, type View } from '../panel';
import { errorOf, limitsOf, numberOf, valuesOf } from '../snapshot';
import type { Drawn } from '../timechart';

/** Connections is the line of active connections, with the baseline and threshold that guard it. */
export function Connections({ view }: { view: View }) {
  const { snapshot, palette } = view;
  const lines = useMemo((): Drawn[] => {
    const limit = (kind: string, colour: string, shape: Drawn['shape']) =>
      limitsOf(snapshot, 'limits', kind).map((line): Drawn => ({ ...line, colour, shape }));
    return [
      { name: 'connections', values: valuesOf(snapshot, 'connections'), colour: palette.main, shape: 'area' },
      ...limit('baseline', palette.baseline, 'dotted').slice(0, 1), // it is the same for every severity
      ...limit('threshold', palette.limit, 'dashed'),
    ];
  }, [snapshot, palette]);
  return (
    <TimePanel
      name="connections"
      title="Active connections"
      view={view}
      focus="connections"
      lines={lines}
      format={count}
      atLeast={5}
      explained
      error={errorOf(snapshot, 'connections', 'limits')}
      big={{ value: numberOf(snapshot, 'now', 'connections'), format: count, name: 'connections' }}
    />
  );
}
