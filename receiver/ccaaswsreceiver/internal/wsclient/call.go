// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"
)

// maxAnswerSize bounds the body of an HTTP response, in bytes.
const maxAnswerSize = 8 << 20

// Call is one HTTP request before a socket is dialled.
type Call struct {
	What   string // for messages: "pre-flight"
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte // JSON; nil: none
	Token  string // sent as bearer unless Header has an Authorization; empty: there is none
	// Permission is what the request needs; empty: it is not known.
	Permission string
	// Answered gets the header of a response, whatever its status; nil: nothing does.
	Answered func(http.Header)
}

// name identifies the call in messages.
func (c *Call) name() string { return c.What + " " + c.Method + " " + address(c.URL) }

// BadAnswerTo returns a failure for a response that is not as the API documents it.
// It is permanent for a host that may not get credentials.
func (c *Call) BadAnswerTo(format string, arguments ...any) *Failure {
	err := fmt.Errorf("%s: %w", c.name(), brief{fmt.Errorf(format, arguments...)})
	return NewFailure(BadAnswer, errors.Is(err, ErrHostRefused), err)
}

// Do sends a request and returns the body of a response with status 2xx.
func Do(ctx context.Context, client *http.Client, call *Call) ([]byte, *Failure) {
	ctx, done := step(ctx, call.What)
	body, failure := do(ctx, client, call)
	done(failure)
	return body, failure
}

func do(ctx context.Context, client *http.Client, call *Call) ([]byte, *Failure) {
	what := call.name()
	request, err := http.NewRequestWithContext(ctx, call.Method, call.URL.String(), bytes.NewReader(call.Body))
	if err != nil {
		return nil, permanent(Refused, fmt.Errorf("%s: %w", what, brief{err}))
	}
	maps.Copy(request.Header, call.Header)
	request.Header.Set("Accept", "application/json")
	if call.Body != nil && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	authorize(request.Header, call.Token)

	response, err := client.Do(request)
	if err != nil {
		return nil, transportFailure(what, err)
	}
	defer func() { _ = response.Body.Close() }()
	if call.Answered != nil {
		call.Answered(response.Header)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, statusFailure(what, response, call.Token != "", time.Now())
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerSize+1))
	switch {
	case err != nil:
		return nil, transportFailure(what, err)
	case len(body) > maxAnswerSize:
		return nil, permanent(BadAnswer, fmt.Errorf("%s: the response is larger than %d bytes", what, maxAnswerSize))
	}
	return body, nil
}

func authorize(header http.Header, token string) {
	if token != "" && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+token)
	}
}

// PerMinute returns a limiter of n in any minute: a fifth of them in a burst, the
// others evenly spread.
func PerMinute(n int) *rate.Limiter {
	burst := max(n/5, 1)
	return rate.NewLimiter(rate.Limit(max(float64(n-burst), float64(n)/2)/60), burst)
}

// HasSpare reports whether requests are left over for what is not urgent: at least half
// of a burst.
func HasSpare(client *http.Client) bool {
	limited, ok := client.Transport.(*RateLimitedTransport)
	return !ok || limited.Limiter.Tokens() >= float64(limited.Limiter.Burst())/2
}

// RateLimitedTransport limits the rate of HTTP requests.
type RateLimitedTransport struct {
	Limiter *rate.Limiter
	Next    http.RoundTripper
	Usage   *Usage // nil: nothing counts
}

// RoundTrip waits for the limiter, then sends the request.
func (b *RateLimitedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := b.Limiter.Wait(request.Context()); err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	if b.Usage == nil {
		return b.Next.RoundTrip(request)
	}
	b.Usage.sent(time.Now())
	response, err := b.Next.RoundTrip(request)
	if err == nil {
		b.Usage.answered(response.Header, time.Now())
	}
	return response, err
}

// CloseIdleConnections is called by http.Client.
func (b *RateLimitedTransport) CloseIdleConnections() {
	if closer, ok := b.Next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
