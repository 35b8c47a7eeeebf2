// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Cause is why there is no live socket, in one word of a short list.
type Cause string

// How a socket ended.
const (
	ClosedByPeer  Cause = "closed_by_peer"  // with a close frame
	Reset         Cause = "reset"           // without one
	Silence       Cause = "silence"         // nothing heard for too long
	FrameTooLarge Cause = "frame_too_large" // far beyond the limit, so we left
	ProtocolError Cause = "protocol_error"  // the peer broke RFC 6455
	Gone          Cause = "gone"            // the platform no longer knows our channel or our token
	Shutdown      Cause = "shutdown"        // we left
)

// Why we moved to a new socket before the old one was lost.
const (
	TokenExpiry Cause = "token_expiry"
	RouteExpiry Cause = "channel_expiry" // or that of whatever else the platform hands out for a time
	MaxAge      Cause = "max_age"
	Maintenance Cause = "maintenance" // the platform asked us to
)

// Why none came up.
const (
	Unreachable  Cause = "unreachable"  // no address, no connection, no TLS, no answer
	Unauthorized Cause = "unauthorized" // 401, 403, or the token endpoint's word for it
	NotFound     Cause = "not_found"
	Throttled    Cause = "throttled"   // 429
	Unavailable  Cause = "unavailable" // 5xx and the like
	Refused      Cause = "refused"     // any other status
	BadAnswer    Cause = "bad_answer"  // an answer that is not the contract's
	Subprotocol  Cause = "subprotocol" // no common one, or another than asked for
	Handshake    Cause = "handshake"   // our first frames were not answered as they should
	OverScoped   Cause = "over_scoped" // the token may do more than it was asked for
	Quota        Cause = "quota"       // as many channels as the platform allows
)

// Failure is an attempt at a socket that came to nothing.
type Failure struct {
	Cause Cause
	// Lasting failures are those of configuration: trying again mends nothing, a
	// person must. They are tried again slowly.
	Permanent bool
	// RetryAfter is the least wait that the platform asks for.
	RetryAfter time.Duration

	err error
}

func (f *Failure) Error() string { return f.err.Error() }

func (f *Failure) Unwrap() error { return f.err }

// NewFailure is a failure of a step that is not this package's.
func NewFailure(cause Cause, permanent bool, err error) *Failure {
	return &Failure{Cause: cause, Permanent: permanent, err: err}
}

// ErrHostRefused is the error of an address that a platform has answered with, and
// that may not get credentials.
var ErrHostRefused = errors.New("may not get the credentials")

func retryable(cause Cause, err error) *Failure { return &Failure{Cause: cause, err: err} }

func permanent(cause Cause, err error) *Failure {
	return &Failure{Cause: cause, Permanent: true, err: err}
}

// Bounds of what a message or the log repeats of a platform's words.
const (
	maxShown      = 200 // characters of a name
	maxShownError = 512 // characters of an error, which may quote a whole line of an answer
	maxListed     = 20
)

// Shown is what a platform calls something, as it may be shown: its beginning.
func Truncate(text string) string { return truncateTo(text, maxShown) }

// Listed are names as they may be shown: the first of them, each of them cut.
func TruncateList(names []string) []string {
	var shown []string
	for _, name := range names[:min(maxListed, len(names))] {
		shown = append(shown, Truncate(name))
	}
	if len(names) > maxListed {
		shown = append(shown, fmt.Sprintf("and %d more", len(names)-maxListed))
	}
	return shown
}

// beginning is a text, or its first characters.
func truncateTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// brief is an error whose message has a length, whoever it quotes.
type brief struct{ error }

func (b brief) Error() string { return truncateTo(b.error.Error(), maxShownError) }

func (b brief) Unwrap() error { return b.error }

// unanswered is a request that got no answer. The URL that net/http puts before
// its errors is left out: what names it, and without its query.
func transportFailure(what string, err error) *Failure {
	if inURL := (*url.Error)(nil); errors.As(err, &inURL) {
		err = inURL.Err
	}
	err = brief{err}
	text, permanent := advice(err, time.Now())
	if text != "" {
		return NewFailure(Unreachable, permanent, fmt.Errorf("%s: %w; %s", what, err, text))
	}
	return retryable(Unreachable, fmt.Errorf("%s: %w", what, err))
}

// answered is a request that got an answer with another status than it should. withToken
// is whether oauth2 is configured, and the request had its token or asked for one.
func statusFailure(what string, response *http.Response, withToken bool, now time.Time) *Failure {
	failure := &Failure{}
	var hint string
	switch status := response.StatusCode; {
	case !withToken && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; " + withoutToken
	case status == http.StatusUnauthorized:
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; the token is not accepted: check oauth2.client_id, client_secret and token_url"
	case status == http.StatusForbidden:
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; the OAuth client may not do this: grant it the scopes of oauth2.scopes"
	case status == http.StatusNotFound:
		failure.Cause, failure.Permanent = NotFound, true
		hint = "; check region or endpoint, and preflight.path"
	case status == http.StatusTooManyRequests:
		failure.Cause = Throttled
	case status == http.StatusRequestTimeout || status == http.StatusRequestEntityTooLarge || status >= http.StatusInternalServerError:
		failure.Cause = Unavailable
	case status >= http.StatusBadRequest:
		failure.Cause, failure.Permanent = Refused, true
	case status >= http.StatusMultipleChoices:
		failure.Cause, failure.Permanent = Refused, true
		hint = "; redirects are not followed: set endpoint to where it leads"
	default:
		failure.Cause, failure.Permanent = BadAnswer, true
		hint = "; this is no WebSocket endpoint of the platform: check endpoint"
	}
	if !failure.Permanent {
		failure.RetryAfter = retryAfter(response.Header.Get("Retry-After"), now)
	}
	failure.err = fmt.Errorf("%s: %d %s%s", what, response.StatusCode, http.StatusText(response.StatusCode), hint)
	return failure
}

// maxRetryAfter bounds what a platform may ask for.
const maxRetryAfter = 10 * time.Minute

// retryAfter reads the header of that name, in seconds or as a date; 0 where it
// says nothing of use.
func retryAfter(header string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 32)
	if err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxRetryAfter)
}
