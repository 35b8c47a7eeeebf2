// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever is pushed, it is taken or rejected by a status of the client's, and the
// store goes on.
func FuzzWrites(f *testing.F) {
	f.Add([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"timeUnixNano":"1","asDouble":1}]}}]}]}]}`), "application/json", false)
	f.Add([]byte("\x0a\x02\x12\x00"), "application/x-protobuf", false)
	f.Add([]byte("\x0a\x10\x0a\x0d\x0a\x08__name__\x12\x01a\x12\x00"), "application/x-protobuf", true)
	s, err := tryOpen(f.TempDir())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	f.Fuzz(func(t *testing.T, body []byte, contentType string, remote bool) {
		request := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
		request.Header["Content-Type"] = []string{contentType}
		answer := httptest.NewRecorder()
		if remote {
			s.WriteRemote(answer, request, body)
		} else {
			s.WriteOTLP(answer, request, body)
		}
		assert.Less(t, answer.Code, 500, answer.Body.String())
		require.NoError(t, s.Health())
	})
}
