// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Whatever is written by OTLP, it is stored, refused with a word, or both; never is
// it the store that fails.
func FuzzWriteOTLP(f *testing.F) {
	s, err := tryOpen(f.TempDir())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	m := pmetric.NewMetrics()
	gauge(m, "a", time.Now(), 1, "eu")
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	require.NoError(f, err)
	f.Add(body, false)
	f.Add([]byte(`{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeMetrics":[{"metrics":[
		{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1","count":"3","bucketCounts":["1","2"],"explicitBounds":[1]}]}},
		{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"scale":30,"count":"1","positive":{"bucketCounts":["1"]}}]}},
		{"name":"s","summary":{"dataPoints":[{"count":"1","quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, json bool) {
		request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/x-protobuf")
		if json {
			request.Header.Set("Content-Type", "application/json")
		}
		recorder := httptest.NewRecorder()
		s.WriteOTLP(recorder, request)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, recorder.Code, recorder.Body)
		require.NoError(t, s.Health())
	})
}

// The same holds for remote write.
func FuzzWriteRemote(f *testing.F) {
	s, err := tryOpen(f.TempDir())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	now := time.Now().UnixMilli()
	body, err := proto.Marshal(&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:    []prompb.Label{{Name: "__name__", Value: "a"}, {Name: "region", Value: "eu"}},
		Samples:   []prompb.Sample{{Value: 1, Timestamp: now}},
		Exemplars: []prompb.Exemplar{{Labels: []prompb.Label{{Name: "trace_id", Value: "t"}}, Timestamp: now}},
		Histograms: []prompb.Histogram{{
			Count: &prompb.Histogram_CountInt{CountInt: 1}, ZeroCount: &prompb.Histogram_ZeroCountInt{ZeroCountInt: 0},
			PositiveSpans: []prompb.BucketSpan{{Length: 1}}, PositiveDeltas: []int64{1}, Timestamp: now + 1,
		}},
	}}})
	require.NoError(f, err)
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		recorder := httptest.NewRecorder()
		s.WriteRemote(recorder, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
		require.Contains(t, []int{http.StatusNoContent, http.StatusBadRequest}, recorder.Code, recorder.Body)
		require.NoError(t, s.Health())
	})
}
