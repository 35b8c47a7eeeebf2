// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

import { BarChart, GaugeChart, LineChart } from 'echarts/charts';
import type { BarSeriesOption, GaugeSeriesOption, LineSeriesOption } from 'echarts/charts';
import { GridComponent, MarkAreaComponent } from 'echarts/components';
import type { GridComponentOption } from 'echarts/components';
import { init, use, type ComposeOption, type ECharts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

use([BarChart, CanvasRenderer, GaugeChart, GridComponent, LineChart, MarkAreaComponent]);

export type Option = ComposeOption<BarSeriesOption | GaugeSeriesOption | LineSeriesOption | GridComponentOption>;

interface Props {
  option: Option;
  /** what the chart shows, in a sentence, for those who do not see it */
  label: string;
  chart?: RefObject<ECharts | null>;
}

/** EChart draws an option, and draws it anew when it changes or the space for it does. */
export function EChart({ option, label, chart }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const instance = useRef<ECharts | null>(null);

  useLayoutEffect(() => {
    const drawn = init(element.current, null, { renderer: 'canvas' });
    instance.current = drawn;
    const observer = new ResizeObserver(() => drawn.resize());
    observer.observe(element.current!);
    return () => {
      observer.disconnect();
      drawn.dispose();
      instance.current = null;
      if (chart) chart.current = null;
    };
  }, []);

  useEffect(() => {
    instance.current?.setOption(option, { notMerge: true });
    if (chart) chart.current = instance.current; // until it has an option, it has no coordinates
  }, [option]);

  return <div class="chart" role="img" aria-label={label} ref={element} />;
}
