// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"math"
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func one(name, unit string) (pmetric.Metrics, pmetric.Metric) {
	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	metric.SetUnit(unit)
	return metrics, metric
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metric, unit string
		fill         func(pmetric.Metric)
		want         string
	}{
		"sum": {"ws.payload", "By", func(m pmetric.Metric) {
			m.SetEmptySum().SetIsMonotonic(true)
			point := m.Sum().DataPoints().AppendEmpty()
			point.SetIntValue(1_048_576)
			point.SetTimestamp(1_715_623_410_123_999_999)
			point.Attributes().PutStr("tenant_id", "acme corp,=")
			point.Attributes().PutStr("region", "us-east-1")
			point.Attributes().PutStr("channel_type", "")
		}, `ws_payload_bytes_total,region=us-east-1,tenant_id=acme\ corp\,\= value=1.048576e+06 1715623410123` + "\n"},
		"gauge": {"ws.drop_rate", "%", func(m pmetric.Metric) {
			point := m.SetEmptyGauge().DataPoints().AppendEmpty()
			point.SetDoubleValue(0.5)
			point.SetTimestamp(1e9)
			point.Attributes().PutBool("otel.metric.overflow", true)
		}, "ws_drop_rate_percent,otel_metric_overflow=true value=0.5 1000\n"},
		"histogram": {"ws.session.duration", "s", func(m pmetric.Metric) {
			point := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
			point.SetTimestamp(1e9)
			point.SetCount(3)
			point.SetSum(7)
			point.SetMax(math.Inf(1))
		}, "ws_session_duration_seconds count=3,sum=7 1000\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			metrics, metric := one(test.metric, test.unit)
			test.fill(metric)
			batch := From(metrics)
			assert.Equal(t, test.want, string(batch.Text))
			assert.Empty(t, batch.Dropped)
		})
	}
}

// One bad point costs itself alone.
func TestLines_DroppedPointsAreCounted(t *testing.T) {
	t.Parallel()
	metrics, metric := one("ws.messages", "")
	points := metric.SetEmptyGauge().DataPoints()
	points.AppendEmpty().SetDoubleValue(math.NaN())
	absent := points.AppendEmpty()
	absent.SetFlags(absent.Flags().WithNoRecordedValue(true))
	points.AppendEmpty().SetTimestamp(math.MaxUint64)
	good := points.AppendEmpty()
	good.SetTimestamp(1e9)
	good.Attributes().PutStr("tenant_id", "a\nb\\")
	list := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	list.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty()
	nameless := list.AppendEmpty()
	nameless.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(1e9)
	batch := From(metrics)
	assert.Equal(t, "ws_messages,tenant_id=a\uFFFDb\\\uFFFD value=0 1000\n", string(batch.Text))
	assert.Equal(t, map[Reason]int{NoValue: 2, Unsupported: 1, Invalid: 2}, batch.Dropped)
}

func FuzzLines(f *testing.F) {
	f.Add("ws.messages", "{message}/s", "tenant_id", "acme", 1.5, uint64(1e18))
	f.Add("", "", "\n", `\`, math.Inf(1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, name, unit, key, value string, number float64, at uint64) {
		metrics, metric := one(name, unit)
		points := metric.SetEmptyGauge().DataPoints()
		for range 2 {
			point := points.AppendEmpty()
			point.Attributes().PutStr(key, value)
			point.SetDoubleValue(number)
			point.SetTimestamp(pcommon.Timestamp(at))
		}
		batch := From(metrics)
		decoder, found := lineprotocol.NewDecoderWithBytes(batch.Text), 0
		for decoder.Next() {
			found++
			_, err := decoder.Measurement()
			require.NoError(t, err)
			for {
				key, _, err := decoder.NextTag()
				require.NoError(t, err)
				if key == nil {
					break
				}
			}
			for {
				key, _, err := decoder.NextField()
				require.NoError(t, err)
				if key == nil {
					break
				}
			}
		}
		lost := 0
		for _, n := range batch.Dropped {
			lost += n
		}
		require.Equal(t, 2, found+lost)
	})
}
