// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// withExemplars are points of one series, each with exemplars in any order: of sessions that ended at
// the same moment, before those of the point before, and some long ago, as expired ones.
func withExemplars(random *rand.Rand, at time.Time) pmetric.Metrics {
	m := pmetric.NewMetrics()
	metric := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("ws.session.duration")
	metric.SetUnit("s")
	metric.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range 3 {
		point := metric.ExponentialHistogram().DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Second)))
		point.SetScale(3)
		point.SetCount(1)
		point.Positive().BucketCounts().FromRaw([]uint64{1})
		for range random.IntN(6) {
			e := point.Exemplars().AppendEmpty()
			age := time.Duration(random.IntN(5)) * time.Second
			if random.IntN(5) == 0 {
				age += time.Hour
			}
			e.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-age)))
			e.SetDoubleValue(float64(random.IntN(3)))
			var id pcommon.TraceID
			binary.BigEndian.PutUint64(id[:], random.Uint64())
			e.SetTraceID(id)
		}
	}
	return m
}

func (f *fixture) exemplars(t *testing.T, at time.Time) (ids map[string]bool) {
	t.Helper()
	status, body := f.get("/query_exemplars", url.Values{
		"query": {"ws_session_duration_seconds"}, "start": {strconv.FormatInt(at.Add(-2*time.Hour).Unix(), 10)}, "end": {strconv.FormatInt(at.Add(time.Hour).Unix(), 10)},
	})
	require.Equal(t, http.StatusOK, status)
	var answer struct {
		Data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	ids = map[string]bool{}
	for _, series := range answer.Data {
		for _, e := range series.Exemplars {
			ids[e.Labels["trace_id"]] = true
		}
	}
	return ids
}

// Exemplars in any order are stored or counted as rejected, and those that are stored are there after a
// restart, of which the log has nothing to say.
func TestStore_ExemplarsInAnyOrderSurviveARestart(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	directory, at := t.TempDir(), time.Now().Add(-time.Minute)
	window := func(o *Options) { o.OutOfOrderWindow = 10 * time.Minute }
	f, err := tryOpen(directory, window)
	require.NoError(t, err)
	for i := range 20 {
		require.Equal(t, http.StatusOK, f.otlp(t, withExemplars(random, at.Add(time.Duration(i)*3*time.Second))).Code)
	}
	before := f.exemplars(t, at)
	require.NotEmpty(t, before)
	assert.Positive(t, f.refused)
	require.NoError(t, f.Close())

	f = open(t, directory, window)
	assert.Equal(t, before, f.exemplars(t, at))
	assert.Empty(t, f.logged())
}
