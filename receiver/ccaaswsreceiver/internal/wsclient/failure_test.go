// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFailure_LongTextIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 50_000)
	assert.Equal(t, "Sales", Truncate("Sales"))
	assert.Equal(t, strings.Repeat("ü", 100)+"…", Truncate(long))
	assert.Equal(t, "a"+strings.Repeat("ü", 99)+"…", Truncate("a"+long), "no half of a character")
	assert.Equal(t, []string{"a", strings.Repeat("ü", 100) + "…"}, TruncateList([]string{"a", long}))
	many := TruncateList(make([]string, 1000))
	assert.Len(t, many, maxListed+1)
	assert.Equal(t, "and 980 more", many[maxListed])
	assert.Empty(t, TruncateList(nil))

	cause := &net.DNSError{Name: long, Err: "no such host", IsNotFound: true}
	failure := transportFailure("upgrade", &url.Error{Op: "Get", URL: "wss://hush.example", Err: cause})
	assert.Less(t, len(failure.Error()), 600)
	require.ErrorIs(t, failure, cause)
	assert.NotContains(t, failure.Error(), "hush")
	refused := (&Call{What: "discovery", URL: &url.URL{Scheme: "https", Host: "a.example", Path: "/" + long}}).BadAnswerTo("%s: %w", long, ErrHostRefused)
	assert.Less(t, len(refused.Error()), 1000)
	assert.True(t, refused.Permanent)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, time.May, 13, 18, 3, 20, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"601":                           10 * time.Minute,
		"99999999999999999999999999999": 10 * time.Minute,
		"-5":                            0,
		"1.5":                           0,
		"soon":                          0,
		"Mon, 13 May 2024 18:03:25 GMT": 5 * time.Second,
		"Mon, 13 May 2024 18:03:15 GMT": 0,
		"Tue, 13 May 2025 18:03:15 GMT": 10 * time.Minute,
	} {
		assert.Equal(t, want, retryAfter(header, now), "%q", header)
	}
}

func TestStatusFailure(t *testing.T) {
	t.Parallel()
	header := http.Header{"Retry-After": {"7"}}
	for status, want := range map[int]Failure{
		200: {Cause: BadAnswer, Permanent: true},
		302: {Cause: Refused, Permanent: true},
		400: {Cause: Refused, Permanent: true},
		401: {Cause: Unauthorized, Permanent: true},
		403: {Cause: Unauthorized, Permanent: true},
		404: {Cause: NotFound, Permanent: true},
		408: {Cause: Unavailable, RetryAfter: 7 * time.Second},
		429: {Cause: Throttled, RetryAfter: 7 * time.Second},
		500: {Cause: Unavailable, RetryAfter: 7 * time.Second},
		503: {Cause: Unavailable, RetryAfter: 7 * time.Second},
	} {
		got := statusFailure("pre-flight", &http.Response{StatusCode: status, Header: header}, true, time.Now())
		require.ErrorContains(t, got, fmt.Sprintf("pre-flight: %d", status))
		got.err = nil
		want.Status = status
		assert.Equal(t, want, *got, status)
	}
}

// Where no token was sent, the advice is not to check the token.
func TestAnswered_RefusalWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		response := &http.Response{StatusCode: status, Header: http.Header{}}
		got := statusFailure("upgrade", response, false, time.Now())
		assert.Equal(t, Unauthorized, got.Cause)
		assert.True(t, got.Permanent)
		require.EqualError(t, got, fmt.Sprintf("upgrade: %d %s; no token of oauth2 was sent: configure oauth2, or check the credentials in endpoint and session",
			status, http.StatusText(status)))
		assert.NotContains(t, statusFailure("upgrade", response, true, time.Now()).Error(), "no token")
	}
}

func TestTransportFailure(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	failure := transportFailure("pre-flight", &url.Error{Op: "Get", URL: "https://api?key=hush", Err: refused})
	assert.Equal(t, Unreachable, failure.Cause)
	assert.False(t, failure.Permanent)
	assert.NotContains(t, failure.Error(), "hush")
	require.ErrorIs(t, failure, syscall.ECONNREFUSED)

	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	failure = transportFailure("pre-flight", untrusted)
	assert.True(t, failure.Permanent)
	require.ErrorContains(t, failure, "tls::ca_file")
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err   error
		cause Cause
		code  int
	}{
		{&websocket.CloseError{Code: 1001, Text: "maintenance"}, ClosedByPeer, 1001},
		{&websocket.CloseError{Code: 4001}, ClosedByPeer, 4001},
		{&websocket.CloseError{Code: websocket.CloseNoStatusReceived}, ClosedByPeer, 0},
		{&websocket.CloseError{Code: websocket.CloseAbnormalClosure, Text: io.ErrUnexpectedEOF.Error()}, Reset, 0},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, Reset, 0},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, Silence, 0},
		{os.ErrDeadlineExceeded, Silence, 0},
		{tls.AlertError(80), Reset, 0},
		{net.ErrClosed, Reset, 0},
		{errFrameTooLarge, FrameTooLarge, 0},
		{websocket.ErrReadLimit, FrameTooLarge, 0},
		{errors.New("websocket: bad opcode 3"), ProtocolError, 0},
	} {
		cause, code := causeOf(test.err)
		assert.Equal(t, test.cause, cause, "%v", test.err)
		assert.Equal(t, test.code, code, "%v", test.err)
	}
}
