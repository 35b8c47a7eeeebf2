// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// A history is a quarter of an hour of windows in which everything happens that the
// page has to show: a campaign that exceeds its threshold, a burst of drops, a gap,
// a clock that drifts. The same every time, but for the time of day.
type history struct {
	first  time.Time // end of the first window
	next   int       // the window to write next
	totals map[string]float64
	kept   map[string]pmetric.NumberDataPointSlice // of the window that is written, by metric
	out    pmetric.MetricSlice
}

const (
	historyWindows = 110
	historyStep    = 9 * time.Second
)

// one is a series, with what is usual for it.
type one struct {
	region, tenant, channel string
	connections             float64
}

func historySeries() (all []one) {
	regions := map[string]float64{"us-east-1": 1.6, "eu-west-1": 1.1, "ap-southeast-2": 0.6}
	tenants := map[string]float64{"acme_corp": 210, "globex": 120}
	channels := map[string]float64{"webmessaging": 1, "whatsapp": 0.6, "voice": 0.35}
	for region, r := range regions {
		for tenant, t := range tenants {
			for channel, c := range channels {
				all = append(all, one{region, tenant, channel, r * t * c})
			}
		}
	}
	return all
}

// noise is a number from -1 to 1 that belongs to a name and a window.
func noise(name string, window int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	seed := float64(h.Sum64()%1000) / 1000
	n := float64(window)
	return (math.Sin(n/3.1+seed*40) + math.Sin(n/1.3+seed*90) + math.Sin(n*2.7+seed*70)) / 3
}

// startHistory writes the windows that have ended.
func startHistory(t testing.TB, d dashboard) *history {
	t.Helper()
	s := d.schedule(t)
	last := s.end(time.Now())
	e := &history{first: last.Add(-(historyWindows - 1) * historyStep), totals: map[string]float64{}}
	e.write(t, d)
	return e
}

// end is when a window ends.
func (e *history) end(window int) time.Time { return e.first.Add(time.Duration(window) * historyStep) }

// write sends the windows that have ended since the last time to the store.
func (e *history) write(t testing.TB, d dashboard) {
	t.Helper()
	for ; e.end(e.next).Before(time.Now()); e.next++ {
		window := e.next
		metrics := pmetric.NewMetrics()
		e.out = metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
		e.kept = map[string]pmetric.NumberDataPointSlice{}
		for _, series := range historySeries() {
			e.series(series, window)
		}
		body, err := pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
		require.NoError(t, err)
		response, err := http.Post(d.url+"api/v1/otlp/v1/metrics", "application/x-protobuf", bytes.NewReader(body))
		require.NoError(t, err)
		answer, _ := io.ReadAll(response.Body)
		response.Body.Close()
		require.Equal(t, 200, response.StatusCode, string(answer))
	}
}

func (e *history) series(s one, window int) {
	key := s.region + s.tenant + s.channel
	before := historyWindows - 1 - window // windows before the last one there was at first
	dark := s.region == "eu-west-1" && before >= 71 && before < 76
	if dark {
		return
	}
	complete := s.region != "eu-west-1" || before != 70 && before != 76
	connections := s.connections * (1 + 0.04*noise(key, window) + 0.06*math.Sin(float64(window)/30))
	campaign := s.region == "us-east-1" && s.tenant == "acme_corp" && before < 24
	if campaign {
		connections *= 1.05 + 0.35*math.Min(1, float64(24-before)/8)
	}
	drops := 0.0
	if noise("drop"+key, window) > 0.93 {
		drops = 100 / s.connections
	}
	if s.region == "eu-west-1" && before >= 40 && before < 48 {
		drops = 3.2 + 2*noise(key, window)
	}
	skew := map[string]float64{"us-east-1": 4, "eu-west-1": -9, "ap-southeast-2": 60}[s.region] + 2*noise("skew"+s.region, window)
	if s.region == "ap-southeast-2" {
		skew += 165 * math.Exp(-math.Pow(float64(before-58)/14, 2))
	}
	messages := connections * 0.31 * (1 + 0.1*noise("messages"+key, window))
	violations, backpressure := 0.0, 0.0
	if s.channel == "voice" && noise("violation"+key, window) > 0.86 {
		violations = 1 + math.Round(2*math.Abs(noise(key, window)))
	}
	if s.channel == "voice" && s.region == "us-east-1" && before >= 18 && before < 24 {
		backpressure = 3
	}

	add := func(metric, unit string, value float64, more ...string) {
		e.gauge(s, window, metric, unit, value, more...)
	}
	add("ws.active_connections", "{connection}", math.Round(connections))
	add("ws.messages", "{message}/s", math.Round(messages*10)/10)
	add("ws.payload.throughput", "By/s", math.Round(messages*238))
	add("ws.drop_rate", "%", drops)
	add("ws.clock.skew", "ms", skew)
	add("ws.window.complete", "1", map[bool]float64{true: 1}[complete])
	if s.region == "eu-west-1" && before < 60 { // the gap of one tenant is healed
		if s.tenant == "acme_corp" {
			first := historyWindows - 1 - 77
			add("ws.gaps.healed.since", "s", float64(e.end(first).Unix()))
			add("ws.gaps.healed.until", "s", float64(e.end(first+7).Unix()))
		}
	}
	for metric, grown := range map[string]float64{
		"ws.messages.sent": messages * 4.6, "ws.messages.received": messages * 4.4, "ws.payload": messages * 238 * 9,
		"ws.connections.opened": connections / 25, "ws.connections.closed": connections / 26,
		"ws.connections.dropped": connections * drops / 100, "ws.late_events": math.Max(0, noise("late"+key, window)-0.9),
		"ws.protocol.violations": violations, "ws.backpressure.events": backpressure,
	} {
		e.sum(s, window, metric, map[bool]string{true: "By"}[metric == "ws.payload"], grown)
	}

	usual := s.connections * 1.07
	rule := func(name, severity, metric string) []string {
		return []string{"rule", name, "severity", severity, "metric", metric}
	}
	high := rule("ws_active_connections_high", "warning", "ws.active_connections")
	add("ws.alert.baseline", "", usual, high...)
	add("ws.alert.threshold", "", usual*1.2, high...)
	add("ws.alert.for", "{window}", 1, high...)
	add("ws.alert.firing", "", map[bool]float64{true: 1}[connections > usual*1.2], high...)
	dropping := rule("ws_connection_drop_rate", "critical", "ws.drop_rate")
	add("ws.alert.threshold", "", 0.5, dropping...)
	add("ws.alert.for", "{window}", 2, dropping...)
	add("ws.alert.firing", "", map[bool]float64{true: 1}[s.region == "eu-west-1" && before >= 40 && before < 47], dropping...)
	off := rule("ws_clock_skew", "warning", "ws.clock.skew")
	add("ws.alert.threshold", "", 200, off...)
	add("ws.alert.for", "{window}", 1, off...)
	add("ws.alert.firing", "", map[bool]float64{true: 1}[math.Abs(skew) > 200], off...)
}

func (e *history) gauge(s one, window int, metric, unit string, value float64, more ...string) {
	points, known := e.kept[metric]
	if !known {
		m := e.out.AppendEmpty()
		m.SetName(metric)
		m.SetUnit(unit)
		points = m.SetEmptyGauge().DataPoints()
		e.kept[metric] = points
	}
	e.point(points.AppendEmpty(), s, window, value, more...)
}

func (e *history) sum(s one, window int, metric, unit string, grown float64) {
	points, known := e.kept[metric]
	if !known {
		m := e.out.AppendEmpty()
		m.SetName(metric)
		m.SetUnit(unit)
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		points = sum.DataPoints()
		e.kept[metric] = points
	}
	key := metric + s.region + s.tenant + s.channel
	e.totals[key] += grown
	e.point(points.AppendEmpty(), s, window, math.Round(e.totals[key]))
}

func (e *history) point(point pmetric.NumberDataPoint, s one, window int, value float64, more ...string) {
	point.SetTimestamp(pcommon.NewTimestampFromTime(e.end(window)))
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(e.end(-1)))
	point.SetDoubleValue(value)
	attributes := point.Attributes()
	attributes.PutStr("region", s.region)
	attributes.PutStr("tenant_id", s.tenant)
	attributes.PutStr("channel_type", s.channel)
	for i := 0; i+1 < len(more); i += 2 {
		attributes.PutStr(more[i], more[i+1])
	}
}
