// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const usualRule = `
rules:
  - name: ws_active_connections_high
    metric: ws.active_connections
    severity: warning
    baseline: { quantile: 0.95, lookback: 168h, min_history: 24h }
    threshold: { percent_of_baseline: 120 }
    context: "{{printf \"%.0f\" .Baseline}} are usual"
`

// sketchError is what the README states.
const sketchError = 0.005

func active(end int64, n float64) pmetric.Metrics {
	return window(end, map[string]float64{"ws.active_connections": n})
}

// 120.000 % is silent, and more than that fires: to the last digit where the series
// was flat, and within the error of the sketch where it was not.
func TestPercentOfBaseline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noisy bool
		value float64
		want  []string
	}{
		"exactly":        {value: 1_200},
		"above":          {value: 1_200.001, want: []string{"firing"}},
		"noisy, exactly": {noisy: true, value: 1_200 * (1 - sketchError)},
		"noisy, above":   {noisy: true, value: 1_200 * (1 + sketchError), want: []string{"firing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := begin(t, configured(t, usualRule), nil, nil)
				at := start() - day - 600_000
				end := at
				for ; end < at+day+300_000; end += 9_000 {
					value := 1_000.0
					if c.noisy && end/9_000%29 == 0 {
						value = 1 + 1_150*float64(end/9_000%2) // far from it, on both sides
					}
					r.consume(t, active(end, value))
				}
				r.consume(t, active(end, c.value))
				require.Equal(t, c.want, statuses(r.bodies()))
				if c.want != nil {
					assert.InEpsilon(t, 1_000, r.bodies()[0]["baseline"], sketchError)
					assert.InEpsilon(t, 1_200, r.bodies()[0]["threshold"], sketchError)
					assert.Equal(t, fmt.Sprintf("%.0f are usual", r.bodies()[0]["baseline"]), r.bodies()[0]["context"])
				}
				r.end(t)
			})
		})
	}
}

// Seven days with a daily shape give the p95 of an exact computation; what is
// above 120 % of it fires, what is below does not, but for the sketch's error.
func TestSevenDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, usualRule), nil, nil)
		random := rand.New(rand.NewPCG(1, 2))
		at, values := start()-7*day, []float64(nil)
		for end := at + 60_000; end <= at+7*day; end += 60_000 {
			hour := float64(end%day) / 3_600_000
			value := math.Round(1_000*(1.2-math.Cos(2*math.Pi*hour/24)) + random.NormFloat64()*40)
			r.consume(t, active(end, value))
			values = append(values, value)
		}
		slices.Sort(values)
		p95 := values[int(0.95*float64(len(values)-1))]
		before := len(r.bodies())
		end := at + 7*day
		r.consume(t, active(end+9_000, p95*1.2*(1-sketchError)))
		assert.Len(t, r.bodies(), before, "not above")
		r.consume(t, active(end+18_000, p95*1.2*(1+sketchError)))
		require.Len(t, r.bodies(), before+1, "above")
		assert.InEpsilon(t, p95, r.bodies()[before]["baseline"], sketchError)
		r.end(t)
	})
}

func TestBaseline_Learning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, usualRule), nil, nil)
		at := start() - 2*day
		for i := range int64(23 * 60) {
			r.consume(t, active(at+i*60_000, 1_000))
		}
		r.consume(t, active(at+23*3_600_000, 9_000))
		assert.Empty(t, r.bodies())
		assert.Empty(t, baselines(r.metrics), "no baseline is emitted during min_history")
		r.e.mutex.Lock()
		assert.Equal(t, 1, r.e.engine.Counts()[0].Learning)
		r.e.mutex.Unlock()
		for i := range int64(2 * 60) {
			r.consume(t, active(at+23*3_600_000+60_000+i*60_000, 1_000))
		}
		r.consume(t, active(at+26*3_600_000, 9_000))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		r.end(t)
	})
}

// A campaign of three times the traffic neither fires nor moves the baseline, if
// it is known.
func TestExclude_Campaign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exclude string
		silent  bool
	}{
		"one-off": {`[{ start: 2000-01-03T18:00:00Z, end: 2000-01-03T20:00:00Z }]`, true},
		"cron":    {`[{ cron: "0 18 3 * *", duration: 2h }]`, true},
		"file":    {`[{ ical: FILE }]`, true},
		"unknown": {`[]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "campaigns.ics")
			require.NoError(t, os.WriteFile(file, []byte(calendarOf("20000103T180000Z", "20000103T200000Z")), 0o600))
			synctest.Test(t, func(t *testing.T) { // its clock begins in the year 2000
				config := configured(t, usualRule)
				if c.exclude == `[{ ical: FILE }]` {
					config.Rules[0].Baseline.Exclude = []RangeConfig{{ICal: file}}
				} else {
					config.Rules[0].Baseline.Exclude = configured(t, fmt.Sprintf(
						"rules: [{ name: a, metric: m, severity: w, threshold: { above: 1 }, baseline: { exclude: %s } }]", c.exclude)).Rules[0].Baseline.Exclude
				}
				time.Sleep(4 * 24 * time.Hour)
				r := begin(t, config, nil, nil)
				at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
				campaign := at + 2*day + 18*3_600_000
				var before, after float64
				for end := at + 60_000; end < at+3*day; end += 60_000 {
					value := 1_000 + float64(end/60_000%50)
					if end > campaign && end <= campaign+2*3_600_000 {
						value *= 3
					}
					r.consume(t, active(end, value))
				}
				synctest.Wait()
				found := baselines(r.metrics)
				before, after = found[campaign-60_000], found[campaign+3*3_600_000]
				require.NotZero(t, before)
				if c.silent {
					assert.Empty(t, r.bodies())
					assert.InEpsilon(t, before, after, 0.0025, "the baseline does not move")
				} else {
					assert.NotEmpty(t, r.bodies())
				}
				r.end(t)
			})
		})
	}
}

func calendarOf(begins, ends string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:x\nSUMMARY:Sale\nDTSTART:" + begins + "\nDTEND:" + ends + "\nEND:VEVENT\nEND:VCALENDAR\n"
}

// A calendar file is read again when it changes; a broken one leaves the last good
// events in force, and says so.
func TestCalendarFile_Changes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "maintenance.ics")
	write := func(text string, at time.Time) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(file, at, at))
	}
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.Rules[0].Level.For = 1
		config.Rules[0].Mute = []RangeConfig{{ICal: file}}
		r := begin(t, config, nil, nil)
		assert.Equal(t, 1, r.log.FilterMessageSnippet("none of its events are in force").Len(), "there is none yet")
		synctest.Wait() // a reader of a file that is being written finds it empty

		write(calendarOf("20000101T000000Z", "20000101T010000Z"), time.Now())
		time.Sleep(11 * time.Second)
		r.consume(t, drops(start(), 9))
		assert.Empty(t, r.bodies(), "muted")

		write("broken", time.Now())
		time.Sleep(31 * time.Second)
		r.consume(t, drops(start(), 9))
		assert.Empty(t, r.bodies(), "still muted")
		assert.Equal(t, 2, r.log.FilterMessageSnippet("not readable").Len(), "logged once more, not at every attempt")
		broken := r.log.FilterMessageSnippet("its last good events stay in force").All()
		require.Len(t, broken, 1)
		assert.Contains(t, broken[0].ContextMap()["error"], file+`: line 1: "broken"`)

		write(calendarOf("20000101T020000Z", "20000101T030000Z"), time.Now())
		time.Sleep(11 * time.Second)
		r.consume(t, drops(start(), 9))
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		r.end(t)
	})
}

// A stream that falls silent alerts, and our own absence does not.
func TestNoData(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := func() *Config {
			c := configured(t, dropRule)
			c.Rules[0].Level.NoData = 5
			return c
		}
		d := owntest.NewStorage()
		r := begin(t, config(), d, nil)
		for range 3 {
			r.consume(t, drops(start(), 0))
			time.Sleep(10 * time.Second)
		}
		time.Sleep(30 * time.Second)
		assert.Empty(t, r.bodies(), "four windows")
		r.end(t)

		time.Sleep(time.Hour)
		r = begin(t, config(), d, nil)
		time.Sleep(50 * time.Second)
		assert.Empty(t, r.bodies(), "it was we who were away")
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"firing"}, statuses(r.bodies()))
		assert.Nil(t, r.bodies()[0]["value"])
		assert.Equal(t, "no data", r.bodies()[0]["reason"])
		r.end(t)

		again := begin(t, config(), d, nil)
		time.Sleep(time.Minute)
		assert.Empty(t, again.bodies(), "it is known to be silent")
		again.consume(t, drops(start(), 0))
		assert.Equal(t, []string{"resolved"}, statuses(again.bodies()))
		sameID(t, append(r.bodies(), again.bodies()...))
		again.end(t)
	})
}

// Silence needs no threshold beside it.
func TestNoDataAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, "rules: [{ name: silent, metric: ws.drop_rate, severity: critical, no_data: 3 }]"), nil, nil)
		for range 3 {
			r.consume(t, drops(start(), 1))
			time.Sleep(10 * time.Second)
		}
		assert.Empty(t, r.bodies())
		time.Sleep(time.Minute)
		r.consume(t, drops(start(), 1))
		require.Equal(t, []string{"firing", "resolved"}, statuses(r.bodies()))
		for _, points := range r.metrics.AllMetrics() {
			for _, metric := range points.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				assert.Equal(t, wsevent.MetricAlertFiring, metric.Name(), "there is no threshold to draw")
			}
		}
		r.end(t)
	})
}

// What fires of a series that is gone for good is given up after a while.
func TestExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		config := configured(t, dropRule)
		config.Rules[0].Expire = time.Hour
		r := begin(t, config, d, nil)
		r.consume(t, drops(start()-9_000, 1))
		r.consume(t, drops(start(), 1))
		time.Sleep(59 * time.Minute)
		assert.Equal(t, []string{"firing"}, statuses(r.bodies()))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, []string{"firing", "resolved"}, statuses(r.bodies()))
		sameID(t, r.bodies())
		r.end(t)
		for key := range d.Data() {
			assert.NotContains(t, key, "series/", "nothing is left of it")
		}
	})
}

func TestRepeatInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.RepeatInterval = 10 * time.Minute
		r := begin(t, config, nil, nil)
		at := start() - 2*3_600_000
		for i := range int64(130) { // 19.5 minutes
			r.consume(t, drops(at+i*9_000, 1))
		}
		assert.Equal(t, []string{"firing", "firing"}, statuses(r.bodies()))
		sameID(t, r.bodies())
		r.end(t)
	})
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, `
rules:
  - name: drops
    metric: ws.drop_rate
    severities:
      - { severity: warning, threshold: { above: 0.5 }, clear: { below: 0.3 } }
      - { severity: critical, threshold: { above: 2 }, for: 2 }
    runbook_url: https://runbooks.example.com/drops
    annotations: { team: voice }
`), nil, nil)
		at := start()
		for i, rate := range []float64{1, 3, 3, 0.4, 0.2} {
			r.consume(t, drops(at+int64(i)*9_000, rate))
		}
		var story []string
		ids := map[any]int{}
		for _, b := range r.bodies() {
			story = append(story, fmt.Sprint(b["alert_type"], " ", b["status"], " ", b["value"]))
			ids[b["alert_id"]]++
			assert.Equal(t, "https://runbooks.example.com/drops", b["runbook_url"])
			assert.Equal(t, map[string]any{"team": "voice"}, b["annotations"])
		}
		assert.Equal(t, []string{"warning firing 1", "critical firing 3", "critical resolved 0.4", "warning resolved 0.2"}, story)
		assert.Len(t, ids, 2)
		r.end(t)
	})
}

// by makes one series of several, and match leaves some out.
func TestByAndMatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, `
rules:
  - name: crowded
    metric: ws.active_connections
    severity: info
    match: { channel_type: "web.*|voice" }
    by: [region]
    threshold: { above: 250 }
`), nil, nil)
		batch := pmetric.NewMetrics()
		for channel, n := range map[string]float64{"webmessaging": 200, "voice": 100, "open": 1_000} {
			windowOf(wsevent.Tags{TenantID: "t", Region: "eu", ChannelType: channel}, start(), map[string]float64{"ws.active_connections": n, "x": 1}).
				ResourceMetrics().MoveAndAppendTo(batch.ResourceMetrics())
		}
		r.consume(t, batch)
		require.Len(t, r.bodies(), 1)
		b := r.bodies()[0]
		assert.InDelta(t, 300, b["value"], 0)
		assert.Equal(t, map[string]any{"ws.active_connections": 300.0, "x": 2.0}, b["snapshot"])
		assert.Equal(t, "eu", b["region"])
		assert.NotContains(t, b, "tenant_id")
		r.end(t)
	})
}

// A running sum is judged by what it gains from one window to the next.
func TestSums(t *testing.T) {
	t.Parallel()
	total := func(end int64, n int64) pmetric.Metrics {
		metrics := pmetric.NewMetrics()
		resource := metrics.ResourceMetrics().AppendEmpty()
		resource.Resource().Attributes().PutStr("host.name", "gateway-1")
		metric := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		metric.SetName("errors")
		metric.SetEmptySum().SetIsMonotonic(true)
		metric.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		point := metric.Sum().DataPoints().AppendEmpty()
		point.SetIntValue(n)
		point.SetStartTimestamp(1)
		point.SetTimestamp(pcommon.Timestamp(end * 1e6))
		return metrics
	}
	for of, want := range map[string][]string{
		"":         {"firing", "resolved"}, // the gains are 0, 30, 30, 0; then it begins anew with 5
		"increase": {"firing", "resolved"},
		"rate":     nil, // 3 a second
		"value":    {"firing", "resolved"},
	} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				config := configured(t, "rules: [{ name: a, metric: errors, severity: w, threshold: { above: 20 } }]")
				config.Rules[0].Of = of
				r := begin(t, config, nil, nil)
				at := start()
				for i, n := range []int64{100, 100, 130, 160, 160, 5} {
					r.consume(t, total(at+int64(i)*10_000, n))
				}
				assert.Equal(t, want, statuses(r.bodies()))
				if len(want) > 0 {
					assert.Equal(t, map[string]any{"host.name": "gateway-1"}, r.bodies()[0]["labels"])
				}
				r.end(t)
			})
		})
	}
}

// Both outputs are given every batch, and it is judged once.
func TestSharedComponent_OneEvaluation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, configured(t, dropRule), nil, nil)
		at := start()
		r.consume(t, drops(at, 1))
		r.consume(t, drops(at+9_000, 1))
		synctest.Wait()
		assert.EqualValues(t, 2, r.e.engine.Stats().Evaluations)
		assert.Empty(t, r.e.engine.Stats().Skipped)
		require.Len(t, r.metrics.AllMetrics(), 2)
		got := map[string]float64{}
		for _, metric := range r.metrics.AllMetrics()[1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			point := metric.Gauge().DataPoints().At(0)
			got[metric.Name()] = point.DoubleValue()
			assert.Equal(t, nanoseconds(at+9_000), point.Timestamp())
			assert.Equal(t, map[string]any{
				"tenant_id": "acme_corp", "region": "eu-west-1", "channel_type": "webmessaging",
				"rule": "ws_connection_drop_rate", "severity": "critical", "metric": "ws.drop_rate",
			}, point.Attributes().AsRaw())
		}
		assert.Equal(t, map[string]float64{wsevent.MetricAlertThreshold: 0.5, wsevent.MetricAlertFor: 2, wsevent.MetricAlertFiring: 1}, got)
		r.end(t)
	})
}

// Windows that the stream was not watched for do not teach the baseline.
func TestIncompleteWindows(t *testing.T) {
	t.Parallel()
	for include, want := range map[bool]float64{false: 1_000, true: 0} {
		synctest.Test(t, func(t *testing.T) {
			config := configured(t, usualRule)
			config.Rules[0].Baseline.IncludeIncomplete = include
			config.Rules[0].Baseline.Quantile = 0
			r := begin(t, config, nil, nil)
			at := start() - 2*day
			for i := range int64(30 * 60) {
				values := map[string]float64{"ws.active_connections": 1_000, wsevent.CompleteMetric: 1}
				if i%10 == 0 {
					values = map[string]float64{"ws.active_connections": 0, wsevent.CompleteMetric: 0}
				}
				r.consume(t, window(at+i*60_000, values))
			}
			synctest.Wait()
			assert.InDelta(t, want, baselines(r.metrics)[at+(30*60-1)*60_000], 0)
			r.end(t)
		})
	}
}

func TestSkippedSamples(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.Rules[0].MaxSeries = 2
		r := begin(t, config, nil, nil)
		at := start()
		r.consume(t, drops(at, math.NaN()))
		r.consume(t, drops(at, math.Inf(1)))
		r.consume(t, drops(at+3_600_000, 1))
		for _, tenant := range []string{"a", "b", "c"} {
			r.consume(t, windowOf(wsevent.Tags{TenantID: tenant}, at, map[string]float64{"ws.drop_rate": 1}))
		}
		r.consume(t, windowOf(wsevent.Tags{TenantID: strings.Repeat("d", 16<<10)}, at, map[string]float64{"ws.drop_rate": 1}))
		skipped := r.e.engine.Stats().Skipped
		assert.EqualValues(t, 2, skipped["not_number"])
		assert.EqualValues(t, 1, skipped["future"])
		assert.EqualValues(t, 1, skipped["max_series"])
		assert.EqualValues(t, 1, skipped["too_long"])
		assert.EqualValues(t, 2, r.e.engine.Stats().Evaluations, "the good ones around them")
		r.end(t)
	})
}

// An alert is emitted even when its context template fails.
func TestContext_Fails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := configured(t, dropRule)
		config.Rules[0].Level.For = 1
		config.Rules[0].Context = "drops on {{.Labels.hostname}}"
		r := begin(t, config, nil, nil)
		r.consume(t, drops(start(), 1))
		require.Len(t, r.bodies(), 1)
		assert.Contains(t, r.bodies()[0]["context"], "drops on  (the context template failed: ")
		assert.Contains(t, r.bodies()[0]["context"], "hostname")
		r.end(t)
	})
}

// Metrics are refused, to be offered again, when too many alerts wait.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := owntest.NewStorage()
		d.FailAfter(0)
		config := configured(t, dropRule)
		config.Rules[0].Level.For = 1
		config.Rules[0].MaxSeries = 2 * maxPending
		sink := sinkOf(d)
		r := begin(t, config, nil, sink)
		batch := pmetric.NewMetrics()
		for i := range maxPending {
			windowOf(wsevent.Tags{TenantID: strconv.Itoa(i)}, start(), map[string]float64{"ws.drop_rate": 1}).
				ResourceMetrics().MoveAndAppendTo(batch.ResourceMetrics())
		}
		r.consume(t, batch)
		synctest.Wait()
		require.ErrorContains(t, r.logs.ConsumeMetrics(t.Context(), drops(start(), 1)), "alerts are queued")
		d.FailAfter(-1)
		time.Sleep(2 * time.Second)
		r.consume(t, drops(start(), 1))
		synctest.Wait()
		assert.Len(t, bodies(sink.AllLogs()), maxPending+1)
		r.end(t)
	})
}
