// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/timescaledbexporter/internal/rows"
)

// Rows travel as one array per column. That is as fast as COPY into a staging table and half the time for small batches
// (docs/timescaledb.md), one statement, and works behind a pooler that does not keep a session. They are sorted by key,
// so that writers of the same rows wait for each other instead of in a circle.
const insertPoints = `INSERT INTO ws_metrics (metric_name, region, tenant_id, channel_type, window_timestamp, start_timestamp, attributes, value)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::jsonb[], $8::float8[]) ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (metric_name, region, tenant_id, channel_type, window_timestamp) DO UPDATE
SET value = excluded.value, start_timestamp = excluded.start_timestamp, attributes = excluded.attributes
WHERE (ws_metrics.value, ws_metrics.start_timestamp, ws_metrics.attributes) IS DISTINCT FROM (excluded.value, excluded.start_timestamp, excluded.attributes)`

const insertExtra = `INSERT INTO ws_metrics_extra (metric_name, region, tenant_id, channel_type, window_timestamp, start_timestamp, attributes, value)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::jsonb[], $8::float8[]) ORDER BY 1, 2, 3, 4, 5, 7
ON CONFLICT (metric_name, region, tenant_id, channel_type, window_timestamp, attributes) DO UPDATE
SET value = excluded.value, start_timestamp = excluded.start_timestamp
WHERE (ws_metrics_extra.value, ws_metrics_extra.start_timestamp) IS DISTINCT FROM (excluded.value, excluded.start_timestamp)`

// Arrays of arrays have to be of one length in PostgreSQL, so bounds and counts travel as text.
const insertHistograms = `INSERT INTO ws_histograms (metric_name, region, tenant_id, channel_type, window_timestamp, start_timestamp, attributes,
  count, sum, min, max, bounds, counts)
SELECT a, b, c, d, e, f, coalesce(g, '{}'), h, i, j, k, l::float8[], m::bigint[]
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::jsonb[],
  $8::bigint[], $9::float8[], $10::float8[], $11::float8[], $12::text[], $13::text[]) AS t (a, b, c, d, e, f, g, h, i, j, k, l, m) ORDER BY 1, 2, 3, 4, 5, 7
ON CONFLICT (metric_name, region, tenant_id, channel_type, window_timestamp, attributes) DO UPDATE
SET start_timestamp = excluded.start_timestamp, count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max,
  bounds = excluded.bounds, counts = excluded.counts
WHERE (ws_histograms.start_timestamp, ws_histograms.count, ws_histograms.sum, ws_histograms.counts)
  IS DISTINCT FROM (excluded.start_timestamp, excluded.count, excluded.sum, excluded.counts)`

// columns are the values of a batch by column: the key first.
type columns struct {
	metric, region, tenant, channelType []string
	time, start                         []*time.Time
	attributes                          []*string
}

func (c *columns) add(key rows.Key, start int64) {
	c.metric = append(c.metric, key.Metric)
	c.region = append(c.region, key.Region)
	c.tenant = append(c.tenant, key.TenantID)
	c.channelType = append(c.channelType, key.ChannelType)
	c.time = append(c.time, timestamp(key.Time))
	if start == 0 {
		c.start = append(c.start, nil)
	} else {
		c.start = append(c.start, timestamp(start))
	}
	if key.Attributes == "" {
		c.attributes = append(c.attributes, nil)
	} else {
		c.attributes = append(c.attributes, &key.Attributes)
	}
}

func (c *columns) arguments(others ...any) []any {
	return append([]any{c.metric, c.region, c.tenant, c.channelType, c.time, c.start, c.attributes}, others...)
}

func timestamp(ms int64) *time.Time {
	at := time.UnixMilli(ms).UTC()
	return &at
}

func pointColumns(points []rows.Point) []any {
	var c columns
	values := make([]float64, 0, len(points))
	for _, point := range points {
		c.add(point.Key, point.Start)
		values = append(values, point.Value)
	}
	return c.arguments(values)
}

func histogramColumns(histograms []rows.Histogram) []any {
	var c columns
	var counts []int64
	var sums, mins, maxs []*float64
	var bounds, buckets []string
	for i := range histograms {
		h := &histograms[i]
		c.add(h.Key, h.Start)
		counts = append(counts, h.Count)
		sums, mins, maxs = append(sums, h.Sum), append(mins, h.Min), append(maxs, h.Max)
		bounds = append(bounds, array(h.Bounds, func(bound float64) string { return strconv.FormatFloat(bound, 'g', -1, 64) }))
		buckets = append(buckets, array(h.Counts, func(n int64) string { return strconv.FormatInt(n, 10) }))
	}
	return c.arguments(counts, sums, mins, maxs, bounds, buckets)
}

// array is a literal of PostgreSQL.
func array[T any](values []T, text func(T) string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = text(value)
	}
	return "{" + strings.Join(texts, ",") + "}"
}
