// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// promised is how far a quantile may be from that of an exact computation.
const promised = 0.005

const hourMs = 3_600_000

var (
	week     = Config{Quantile: 0.95, Lookback: 7 * 24 * time.Hour, MinHistory: 24 * time.Hour}
	epoch    = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC).UnixMilli()
	nineSecs = int64(9_000)
)

// exact is the quantile of all values, between the two nearest ranks.
func exact(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	rank := q * float64(len(sorted)-1)
	low := int(rank)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (rank-float64(low))*(sorted[low+1]-sorted[low])
}

// daily is a day of a contact centre: a busy noon, a quiet night, and noise.
func daily(at int64, random *rand.Rand) float64 {
	hour := float64(at%(24*hourMs)) / hourMs
	return math.Round(1_000*(1.2-math.Cos(2*math.Pi*hour/24)) + random.NormFloat64()*40)
}

func TestBaseline_DailyShape(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	b := New(&week)
	var values []float64
	for end := epoch + nineSecs; end <= epoch+7*24*hourMs; end += nineSecs {
		value := daily(end, random)
		b.Add(end, value)
		values = append(values, value)
	}
	level := b.At(epoch + 7*24*hourMs + nineSecs)
	require.True(t, level.Ready)
	assert.InEpsilon(t, exact(values, 0.95), level.Value, promised)
}

// Whatever the values, the quantile is near that of an exact computation over the
// hours that count, and never outside of the observed values.
func TestBaseline_QuantileAgainstExactComputation(t *testing.T) {
	t.Parallel()
	type point struct {
		hour  int64
		value float64
	}
	shapes := map[string]func(*rand.Rand) float64{
		"flat":      func(*rand.Rand) float64 { return 100 },
		"lognormal": func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) * 1e3 },
		"zeros":     func(r *rand.Rand) float64 { return max(0, r.NormFloat64()) },
		"negative":  func(r *rand.Rand) float64 { return -math.Exp(r.NormFloat64()) },
		"both":      func(r *rand.Rand) float64 { return r.NormFloat64() * 200 },
		"tiny":      func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) * 1e-9 },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(3, 4))
			for _, q := range []float64{0.05, 0.5, 0.95, 0.99} {
				config := Config{Quantile: q, Lookback: 5 * time.Hour}
				b := New(&config)
				var points []point
				for end := epoch + 7; end < epoch+20*hourMs; end += 1 + random.Int64N(60_000) {
					now := indexOf(end)
					var counting []float64
					for _, p := range points {
						if p.hour >= now-5 {
							counting = append(counting, p.value)
						}
					}
					if len(counting) > 200 && random.IntN(50) == 0 {
						near(t, counting, q, b.At(end).Value)
					}
					value := shape(random)
					b.Add(end, value)
					points = append(points, point{now, value})
				}
			}
		})
	}
}

// near allows for the promised error, and for the two ranks that are nearest.
func near(t *testing.T, values []float64, q, got float64) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(values))
	rank := q * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(rank))], sorted[int(math.Ceil(rank))]
	assert.GreaterOrEqual(t, got, low-promised*math.Abs(low)-1e-300, "q=%v n=%d", q, len(sorted))
	assert.LessOrEqual(t, got, high+promised*math.Abs(high)+1e-300, "q=%v n=%d", q, len(sorted))
	assert.GreaterOrEqual(t, got, sorted[0])
	assert.LessOrEqual(t, got, sorted[len(sorted)-1])
}

// A flat series has its own value as baseline, to the last digit.
func TestBaseline_FlatSeries(t *testing.T) {
	t.Parallel()
	config := Config{Quantile: 0.95, Lookback: time.Hour}
	b := New(&config)
	for i := range int64(1_000) {
		b.Add(epoch+i*1_000, 123.456)
	}
	assert.InDelta(t, 123.456, b.At(epoch+1_000_000).Value, 0)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	config := Config{Quantile: 0.5, Lookback: 48 * time.Hour, MinHistory: 24 * time.Hour}
	at := epoch + 17*60_000 // not at a full hour
	fill := func(b *Baseline, from, to int64) {
		for end := from; end <= to; end += 60_000 {
			b.Add(end, 1)
		}
	}
	t.Run("a day", func(t *testing.T) {
		t.Parallel()
		b := New(&config)
		fill(b, at, at+24*hourMs-60_000)
		assert.False(t, b.At(at+24*hourMs-1).Ready)
		assert.Equal(t, Level{Value: 1, History: 24 * time.Hour, Ready: true}, b.At(at+24*hourMs))
	})
	t.Run("a hole does not count", func(t *testing.T) {
		t.Parallel()
		b := New(&config)
		b.Add(at, 1)
		b.Add(epoch+30*hourMs-60_000, 1)
		assert.Equal(t, 43*time.Minute+time.Hour, b.At(epoch+30*hourMs).History)
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		assert.Zero(t, New(&config).At(at))
	})
}

// Hours older than the lookback are dropped.
func TestBaseline_LookbackRolls(t *testing.T) {
	t.Parallel()
	config := Config{Quantile: 1, Lookback: 3 * time.Hour}
	b := New(&config)
	b.Add(epoch+1, 1_000)
	for hour := range int64(3) {
		b.Add(epoch+(hour+1)*hourMs+1, 10)
	}
	assert.InEpsilon(t, 1_000, b.At(epoch+4*hourMs).Value, promised, "three hours ago still counts")
	assert.InDelta(t, 10, b.At(epoch+4*hourMs+1).Value, 0)
	assert.Zero(t, b.At(epoch+100*hourMs))
}

func TestSeasons(t *testing.T) {
	t.Parallel()
	value := func(end int64) float64 { return float64(indexOf(end) % 24) } // the hour of the day
	for name, c := range map[string]struct {
		season Season
		days   int64
		want   float64
	}{
		"hour of day":  {season: HourOfDay, days: 3, want: 5},
		"hour of week": {season: HourOfWeek, days: 8, want: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Quantile: 1, Lookback: 14 * 24 * time.Hour, MinHistory: time.Hour, Season: c.season}
			b := New(&config)
			for end := epoch + 60_000; end <= epoch+c.days*24*hourMs+5*hourMs; end += 600_000 {
				b.Add(end, value(end))
			}
			level := b.At(epoch + c.days*24*hourMs + 5*hourMs + 1)
			assert.True(t, level.Ready)
			assert.InDelta(t, c.want, level.Value, 0)
		})
	}
}

// Without the same hour of an earlier season the baseline is not ready.
func TestSeasons_Learned(t *testing.T) {
	t.Parallel()
	config := Config{Quantile: 1, Lookback: 14 * 24 * time.Hour, Season: HourOfWeek}
	b := New(&config)
	for end := epoch + 60_000; end <= epoch+3*24*hourMs; end += 600_000 {
		b.Add(end, 1)
	}
	assert.False(t, b.At(epoch+3*24*hourMs).Ready)
	assert.True(t, b.At(epoch+8*24*hourMs).Ready)
}

// A restored baseline continues as one that was never saved.
func TestRestore(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	continuous := New(&week)
	saved := New(&week)
	for end := epoch; end < epoch+10*24*hourMs; end += 1 + random.Int64N(300_000) {
		require.Equal(t, continuous.At(end), saved.At(end))
		value := random.NormFloat64()
		continuous.Add(end, value)
		saved.Add(end, value)
		if random.IntN(50) == 0 {
			saved = throughJSON(t, saved)
		}
	}
}

func throughJSON(t testing.TB, b *Baseline) *Baseline {
	t.Helper()
	hours := slices.Clone(b.Closed())
	if open := b.Open(); open != nil {
		hours = append(hours, *open)
	}
	text, err := json.Marshal(hours)
	require.NoError(t, err)
	var read []Hour
	require.NoError(t, json.Unmarshal(text, &read))
	restored, err := Restore(b.config, read)
	require.NoError(t, err)
	return restored
}

func TestRestore_LeavesOutInvalidHours(t *testing.T) {
	t.Parallel()
	b := New(&week)
	b.Add(epoch+1, 5)
	b.Add(epoch+2, 6)
	good := *b.Open()
	encoded := func(change func(*ddsketch.DDSketch)) []byte {
		sketch := newSketch(0.95)
		good.mergeInto(sketch)
		change(sketch.DDSketch)
		var out []byte
		sketch.Encode(&out, true)
		return out
	}
	for name, spoil := range map[string]func(*Hour){
		"count": func(h *Hour) { h.Sketch = encoded(func(s *ddsketch.DDSketch) { _ = s.Add(5.5) }) },
		"index": func(h *Hour) {
			h.Sketch = encoded(func(s *ddsketch.DDSketch) {
				s.GetPositiveValueStore().AddWithCount(indexMapping.Index(5), -1)
				s.GetPositiveValueStore().AddWithCount(math.MaxInt32, 1)
			})
		},
		"first":   func(h *Hour) { h.First += hourMs },
		"cut":     func(h *Hour) { h.Sketch = h.Sketch[:len(h.Sketch)-1] },
		"longer":  func(h *Hour) { h.Sketch = append(slices.Clone(h.Sketch), 0) },
		"none":    func(h *Hour) { h.Sketch = nil },
		"nothing": func(h *Hour) { *h = Hour{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			spoil(&bad)
			later := New(&week)
			later.Add(epoch+hourMs+1, 7)
			restored, err := Restore(&week, []Hour{bad, *later.Open()})
			require.ErrorContains(t, err, "hour ")
			assert.InDelta(t, 7, restored.At(epoch+hourMs+2).Value, 0, "the good one is used")
		})
	}
}

// An hour of the first version is read as what it held, and what is not one is an error.
func TestHour_FirstVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"hour":1,"first":3600001,"count":1,"min":0,"max":0,"bins":"AQAA"}`:         "",
		`{"hour":1,"first":3600001,"count":2,"min":0,"max":1,"bins":"AQEAAQA="}`:     "",
		`{"hour":1,"first":3600001,"count":2,"min":0,"max":0,"bins":"AQAA"}`:         "contradict",
		`{"hour":1,"first":3600001,"count":1,"min":1,"max":0,"bins":"AQAA"}`:         "cannot be greater",
		`{"hour":1,"first":3600001,"count":1,"min":0,"max":0,"bins":"AQA="}`:         "EOF",
		`{"hour":1,"first":3600001,"count":1,"min":0,"max":0,"bins":"AQAAAA=="}`:     "too long",
		`{"hour":1,"first":3600001,"count":0,"min":0,"max":0,"bins":"AAAA"}`:         "hour 1: bins",
		`{"hour":1,"first":3600001,"count":1,"min":0,"max":0,"bins":"AP///////w8A"}`: "EOF",
	} {
		var hour Hour
		err := json.Unmarshal([]byte(text), &hour)
		if err == nil {
			err = hour.validate()
		}
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}

// The number of bins is bounded, independent of the distance of the values.
func TestBaseline_SketchIsBounded(t *testing.T) {
	t.Parallel()
	for _, q := range []float64{0.05, 0.95} {
		config := Config{Quantile: q, Lookback: time.Hour}
		b := New(&config)
		random := rand.New(rand.NewPCG(7, 8))
		for i := range int64(100_000) {
			sign := 1.0
			if random.IntN(2) == 0 {
				sign = -1
			}
			b.Add(epoch+i*30, sign*math.Exp((random.Float64()-0.5)*1_300))
		}
		assert.Less(t, len(b.Open().Sketch), 4*maxBins*2+40)
	}
}

func FuzzRestore(f *testing.F) {
	b := New(&week)
	for i := range int64(50) {
		b.Add(epoch+i*1_000_000, float64(i-20))
	}
	text, err := json.Marshal(append(slices.Clone(b.Closed()), *b.Open()))
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`[{"hour":1,"first":3600001,"count":1,"min":0,"max":0,"bins":"AQAA"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var hours []Hour
		if json.Unmarshal(text, &hours) != nil || len(hours) > 1_000 {
			return
		}
		restored, _ := Restore(&week, hours)
		end := epoch + 100*hourMs
		restored.Add(end, 1)
		level := restored.At(end)
		assert.False(t, math.IsNaN(level.Value))
	})
}

func BenchmarkSample(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	baseline, end := full(random)
	b.ReportAllocs()
	for b.Loop() {
		end += nineSecs
		baseline.At(end)
		baseline.Add(end, daily(end, random))
	}
}

func full(random *rand.Rand) (*Baseline, int64) {
	baseline, end := New(&week), epoch
	for ; end < epoch+8*24*hourMs; end += nineSecs {
		baseline.Add(end, daily(end, random))
	}
	return baseline, end
}

// BenchmarkHour measures the first window of an hour, which merges the
// lookback again.
func BenchmarkHour(b *testing.B) {
	baseline, end := full(rand.New(rand.NewPCG(1, 2)))
	b.ReportAllocs()
	for b.Loop() {
		end += hourMs
		for i := range int64(60) {
			baseline.Add(end+i*60_000, 100+float64(i))
		}
	}
}
