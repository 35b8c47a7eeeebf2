// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDrill(t *testing.T) {
	t.Setenv(authorization, "Bearer token")
	status, text := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/prefix/api/v1/drill?timeout=5s", r.URL.RequestURI())
		assert.Equal(t, "Bearer token", r.Header.Get("Authorization"))
		var body struct{ Labels map[string]string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		assert.Equal(t, map[string]string{"severity": "critical", "region": "eu=west"}, body.Labels)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	run := func() (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), []string{"--drill", "--timeout", "5s", server.URL + "/prefix", "severity=critical", "region=eu=west"}, nil, &out, io.Discard)
		return out.String(), err
	}
	text = `{"delivered":true,"deliveries":[{"receiver":"oncall","integration":"signed_webhook[0]","delivered":true,"seconds":5.0123,"attempts":1}]}`
	out, err := run()
	require.NoError(t, err)
	assert.Equal(t, "oncall/signed_webhook[0]                 delivered after 5.012 s, attempt 1\n", out)

	text = `{"delivered":false,"deliveries":[{"receiver":"team","delivered":false,"attempts":0,"error":"silenced"}]}`
	out, err = run()
	require.ErrorContains(t, err, "not every receiver")
	assert.Equal(t, "team                                     not delivered, 0 attempts: silenced\n", out)

	status, text = http.StatusConflict, "a drill is in progress\n"
	_, err = run()
	require.ErrorContains(t, err, "409 Conflict: a drill is in progress")
}

func TestDrill_Arguments(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"--drill"}, {"--drill", "localhost"}, {"--drill", "http://localhost:1", "label"}, {"--drill", "--diff", "http://localhost:1"}} {
		require.Error(t, run(t.Context(), arguments, nil, io.Discard, io.Discard), arguments)
	}
}
