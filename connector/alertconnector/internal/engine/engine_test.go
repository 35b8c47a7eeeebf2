// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/baseline"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

var epoch = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC).UnixMilli()

const (
	second = 1_000
	hour   = 3_600 * second
)

// shipped are the rules as shipped, without words for people.
func shipped(maxSeries int) []*Rule {
	level := func(limit rule.Limit, times int) []rule.Level {
		return []rule.Level{{Severity: "warning", Threshold: limit, For: times, ClearFor: 1, Repeat: 4 * hour}}
	}
	return []*Rule{
		{
			Name: "active", Metric: "ws.active_connections", MaxSeries: maxSeries, Expire: 24 * hour,
			Levels:   level(rule.Limit{Kind: rule.AbovePercentOfBaseline, Value: 120}, 1),
			Baseline: &baseline.Config{Quantile: 0.95, Lookback: 7 * 24 * time.Hour, MinHistory: 24 * time.Hour},
		},
		{
			Name: "drops", Metric: "ws.drop_rate", MaxSeries: maxSeries, Expire: 24 * hour,
			Levels: level(rule.Limit{Kind: rule.Above, Value: 0.5}, 2),
		},
		{
			Name: "skew", Metric: "ws.clock.skew", MaxSeries: maxSeries, Expire: 24 * hour,
			Levels: level(rule.Limit{Kind: rule.Outside, Value: 200}, 1),
		},
	}
}

// batch is a window of each of n series.
func batch(n int, end int64, random *rand.Rand) []Window {
	noon := 1.2 - math.Cos(2*math.Pi*float64(end%(24*hour))/(24*hour))
	windows := make([]Window, n)
	for i := range windows {
		windows[i] = Window{
			Attributes: Attributes{{"channel_type", "voice"}, {"region", "eu"}, {"tenant_id", fmt.Sprint("tenant-", i)}},
			Start:      end - 10*second, End: end,
			Values: []Value{
				{Metric: "ws.active_connections", Value: math.Round(1_000*noon + random.NormFloat64()*40)},
				{Metric: "ws.drop_rate", Value: math.Abs(random.NormFloat64()) * 0.4},
				{Metric: "ws.clock.skew", Value: random.NormFloat64() * 100},
			},
		}
	}
	return windows
}

// store keeps the changes of an engine, as a storage does.
type store map[string][]byte

func (s store) apply(e *Engine) int {
	size := 0
	for _, c := range e.Changes() {
		size += len(c.Value)
		if c.Value == nil {
			delete(s, c.Key)
		} else {
			s[c.Key] = c.Value
		}
	}
	e.Saved()
	return size
}

func (s store) get(keys ...string) ([][]byte, error) {
	pieces := make([][]byte, len(keys))
	for i, key := range keys {
		pieces[i] = s[key]
	}
	return pieces, nil
}

// An engine that is restarted from time to time has the same outcomes as one that is not.
func TestRestore_ChangesNoOutcome(t *testing.T) {
	t.Parallel()
	one, other, random := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(3, 4))
	continuous, restarted, disk := New(shipped(10)), New(shipped(10)), store{}
	alerts := 0
	for end := epoch; end < epoch+10*24*hour; end += 300 * second {
		now := end + second
		want := continuous.Observe(batch(3, end, one), now)
		require.Equal(t, want, restarted.Observe(batch(3, end, other), now))
		disk.apply(restarted)
		alerts += len(want.Alerts)
		if random.IntN(100) == 0 {
			restarted = New(shipped(10))
			found, err := restarted.Restore(disk.get)
			require.NoError(t, err)
			require.Empty(t, found.Damage)
			require.Equal(t, 9, found.Series)
			restarted.Resume(now)
		}
	}
	assert.Positive(t, alerts)
	days := 0
	for key := range disk {
		if strings.Contains(key, "/day/") {
			days++
		}
	}
	assert.LessOrEqual(t, days, 3*9, "days beyond the lookback leave the storage")
}

// Numbers of removed series are reused once the series are deleted from the storage.
func TestSeries_Removed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	e, disk := New(shipped(10)), store{}
	e.Observe(batch(3, epoch, random), epoch)
	disk.apply(e)
	require.Len(t, disk, 10)
	e.Tick(epoch + 24*hour)
	disk.apply(e)
	assert.Len(t, disk, 4, "the baselines stay for their lookback, and the number of series")
	e.Tick(epoch + 7*24*hour)
	disk.apply(e)
	assert.Len(t, disk, 1)
	e.Observe(batch(3, epoch+8*24*hour, random), epoch+8*24*hour)
	disk.apply(e)
	assert.Len(t, disk, 10)
	assert.Equal(t, 9, e.next)
}

// The engine starts with any content of the storage, and reports damaged values.
// The largest value and the largest percentage make a threshold that can be saved.
func TestObserve_LargestThreshold(t *testing.T) {
	t.Parallel()
	rules := shipped(1)[:1]
	rules[0].Levels[0].Threshold.Value, rules[0].Baseline.MinHistory = 1e15, 0
	e := New(rules)
	for i := range int64(3) {
		e.Observe([]Window{{End: epoch + i*10*second, Values: []Value{{Metric: "ws.active_connections", Value: 1e290}}}}, epoch)
		assert.NotPanics(t, func() { store{}.apply(e) })
	}
	assert.Empty(t, e.Stats().Skipped)
}

func TestObserve_ClockSetBack(t *testing.T) {
	t.Parallel()
	e := New(shipped(1)[2:])
	skew := func(end int64) []Window {
		return []Window{{Start: end - 10*second, End: end, Values: []Value{{Metric: "ws.clock.skew", Value: 300}}}}
	}
	year := int64(365 * 24 * hour)
	require.Len(t, e.Observe(skew(epoch+year), epoch+year).Alerts, 1)
	alerts := e.Observe(skew(epoch), epoch).Alerts
	require.Len(t, alerts, 2, "the series does not wait for a year")
	assert.Equal(t, rule.ClockSet, alerts[0].Reason.Cause)
	assert.True(t, alerts[0].Resolved)
	assert.False(t, alerts[1].Resolved)
}

func TestBaseline_LevelChanged(t *testing.T) {
	t.Parallel()
	e := New(shipped(1)[:1])
	var transitions []string
	for i := range int64(12 * 24 * 6) { // twelve days of ten minutes each
		value := 1_000.0
		if i >= 2*24*6 {
			value = 2_000
		}
		end := epoch + (i+1)*hour/6
		out := e.Observe([]Window{{
			Start: end - hour/6, End: end, Values: []Value{{Metric: "ws.active_connections", Value: value}},
		}}, end)
		for _, a := range out.Alerts {
			if a.Reason.Cause != rule.Repeated {
				transitions = append(transitions, fmt.Sprintf("day %d: %s", i/(24*6), a.Reason))
			}
		}
	}
	assert.Equal(t, []string{"day 2: beyond threshold", "day 9: clear"}, transitions,
		"it is resolved when the lookback of seven days no longer has the previous level")
}

func FuzzRestore(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	e, disk := New(shipped(10)), store{}
	for end := epoch; end < epoch+30*hour; end += 600 * second {
		e.Observe(batch(1, end, random), end)
	}
	disk.apply(e)
	content := func(key string) []byte {
		text, err := Decode(disk[key])
		require.NoError(f, err)
		return text
	}
	f.Add(content(seriesKey(0)), content(dayKey(0, epoch/(24*hour))), []byte("2"), true)
	f.Add(content(seriesKey(1)), []byte(`{"hours":[]}`), []byte("-1"), true)
	f.Add([]byte(`{"rule":"active","closed":{"first":-1,"last":9223372036854775807}}`), []byte("{}"), []byte("1"), false)
	f.Fuzz(func(t *testing.T, series, day, count []byte, sealed bool) {
		disk := store{seriesCountKey: count, seriesKey(0): series, dayKey(0, epoch/(24*hour)): day}
		if sealed {
			for key, value := range disk {
				disk[key] = Encode(value)
			}
		}
		e := New(shipped(10))
		_, err := e.Restore(disk.get)
		require.NoError(t, err)
		end := epoch + 40*hour
		e.Resume(end)
		e.Observe(batch(2, end, rand.New(rand.NewPCG(1, 2))), end)
		disk.apply(e)
		e.Tick(end + 100*24*hour)
		disk.apply(e)
	})
}

func BenchmarkObserve(b *testing.B) {
	const n = 2_000
	random := rand.New(rand.NewPCG(1, 2))
	e, end := New(shipped(n)), epoch
	for ; end < epoch+25*hour; end += 900 * second {
		e.Observe(batch(n, end, random), end)
	}
	windows := batch(n, end, random)
	e.Observe(windows, end)
	e.Saved()
	b.ReportAllocs()
	for b.Loop() {
		end += 9 * second
		for i := range windows {
			windows[i].Start, windows[i].End = end-10*second, end
		}
		e.Observe(windows, end)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*3), "ns/evaluation")
}

// BenchmarkSeries measures what a series takes, with a full baseline and without.
func BenchmarkSeries(b *testing.B) {
	for name, rules := range map[string][]*Rule{"baseline": shipped(1_000)[:1], "threshold": shipped(1_000)[1:2]} {
		b.Run(name, func(b *testing.B) { benchmarkSeries(b, rules) })
	}
}

func benchmarkSeries(b *testing.B, rules []*Rule) {
	b.Helper()
	const n = 20
	random := rand.New(rand.NewPCG(1, 2))
	var e *Engine
	var disk store
	written, saves := 0, 0
	before := heap()
	for b.Loop() {
		e, disk = New(rules), store{}
		for end := epoch; end < epoch+8*24*hour; end += 9 * second {
			e.Observe(batch(n, end, random), end)
			if end > epoch+8*24*hour-hour {
				written += disk.apply(e)
				saves++
			}
		}
	}
	size := 0
	for _, value := range disk {
		size += len(value)
	}
	disk = nil
	b.ReportMetric(float64(int64(heap())-int64(before))/n, "B/series")
	b.ReportMetric(float64(size)/n, "stored-B/series")
	b.ReportMetric(float64(written)/float64(saves)/n, "written-B/sample")
	runtime.KeepAlive(e)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
