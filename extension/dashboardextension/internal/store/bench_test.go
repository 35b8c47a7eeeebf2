// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// BenchmarkWriteOTLP stores the windows of 2,000 and 6,000 tag sets, with what two
// rules make of them 20 metrics each, as they come every nine seconds.
func BenchmarkWriteOTLP(b *testing.B) {
	for _, sets := range []int{2_000, 6_000} {
		b.Run("sets="+strconv.Itoa(sets), func(b *testing.B) { benchmarkWriteOTLP(b, sets) })
	}
}

func benchmarkWriteOTLP(b *testing.B, sets int) {
	b.Helper()
	const metrics = 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := tryOpen(b.TempDir(), func(o *Options) { o.MaxSeries = sets * metrics })
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	at := time.Now().Add(-time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		at = at.Add(time.Second)
		m := pmetric.NewMetrics()
		for i := range metrics {
			for j := range sets {
				gauge(m, fmt.Sprintf("m%d", i), at, float64(j), strconv.Itoa(j))
			}
		}
		body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
		require.NoError(b, err)
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/x-protobuf")
		recorder := httptest.NewRecorder()
		b.StartTimer()
		s.WriteOTLP(recorder, request, body)
		require.Equal(b, http.StatusOK, recorder.Code)
	}
	require.Empty(b, s.rejected)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*sets*metrics), "ns/sample")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(sets*metrics), "B/series")
}
