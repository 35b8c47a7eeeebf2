// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReached_Behind(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return time.UnixMilli(1_715_000_000_000 + int64(seconds*1000)) }
	for _, test := range []struct{ sent, received, date, behind float64 }{
		{10.2, 10.3, 10, 0},
		{10.9, 12.1, 10, 0},   // the response may be of 10.99
		{10.2, 10.3, 11, 0.7}, // the platform's clock is at least at 11
		{10.2, 10.3, 9, -0.2},
		{10.2, 10.3, 310, 299.7},
		{310.2, 310.3, 10, -299.2},
	} {
		reached := Reached{Sent: at(test.sent), Received: at(test.received), Date: at(test.date)}
		assert.InDelta(t, test.behind, reached.Behind().Seconds(), 0.001, test)
	}
	assert.Zero(t, (&Reached{Sent: at(1), Received: at(2)}).Behind(), "without a Date")
}

func TestReach(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, []string{http.MethodHead, "/"}, []string{r.Method, r.URL.Path})
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	at, err := url.Parse(server.URL + "/secret?token=hush")
	require.NoError(t, err)

	reached, failure := Reach(t.Context(), server.Client(), at)
	require.Nil(t, failure)
	assert.Equal(t, StageHTTP, reached.Stage)
	assert.Equal(t, server.Certificate().NotAfter, reached.Expires)
	assert.NotZero(t, reached.Date)
	assert.Zero(t, reached.Behind())

	reached, failure = Reach(t.Context(), &http.Client{Transport: &http.Transport{}}, at)
	require.NotNil(t, failure)
	assert.Equal(t, StageTLS, reached.Stage)
	assert.Contains(t, failure.Error(), "put the CA that signed it into tls::ca_file")
	assert.NotContains(t, failure.Error(), "hush")

	server.Close()
	reached, failure = Reach(t.Context(), server.Client(), at)
	require.NotNil(t, failure)
	assert.Equal(t, StageTCP, reached.Stage)
}
