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

// Cause is why no socket is up, one of the constants.
type Cause string

// How a socket ended.
const (
	ClosedByPeer  Cause = "closed_by_peer"  // with a close frame
	Reset         Cause = "reset"           // without one
	Silence       Cause = "silence"         // no inbound data within the timeout
	FrameTooLarge Cause = "frame_too_large" // far beyond the limit, closed by us
	ProtocolError Cause = "protocol_error"  // the peer violated RFC 6455
	Gone          Cause = "gone"            // the platform no longer knows our channel or our token
	Shutdown      Cause = "shutdown"        // closed by us
)

// Why a socket was replaced while it worked.
const (
	TokenExpiry Cause = "token_expiry"
	RouteExpiry Cause = "channel_expiry" // of a channel or an address
	MaxAge      Cause = "max_age"
	Maintenance Cause = "maintenance" // requested by the platform
)

// Why no socket could be opened.
const (
	Unreachable  Cause = "unreachable"  // no address, no connection, no TLS, no answer
	Unauthorized Cause = "unauthorized" // 401, 403, or an OAuth error of the token endpoint
	NotFound     Cause = "not_found"
	Throttled    Cause = "throttled"   // 429
	Unavailable  Cause = "unavailable" // 5xx and the like
	Refused      Cause = "refused"     // any other status
	BadAnswer    Cause = "bad_answer"  // a response that is not as the API documents it
	Subprotocol  Cause = "subprotocol" // no common one, or another than requested
	Handshake    Cause = "handshake"   // a handshake frame without the expected reply
	OverScoped   Cause = "over_scoped" // the token has more scopes than requested
	Quota        Cause = "quota"       // the platform's limit of channels
)

// Failure is the error of a failed connection attempt.
type Failure struct {
	Cause Cause
	// Permanent failures need an administrator. They are retried at the maximum
	// interval.
	Permanent bool
	// RetryAfter is the minimum wait that the platform asks for; 0: none.
	RetryAfter time.Duration
	// Status is that of an HTTP response; 0: there was none.
	Status int

	err error
}

func (f *Failure) Error() string { return f.err.Error() }

func (f *Failure) Unwrap() error { return f.err }

// NewFailure returns the failure of an attempt.
func NewFailure(cause Cause, permanent bool, err error) *Failure {
	return &Failure{Cause: cause, Permanent: permanent, err: err}
}

// ErrHostRefused is the error of an address in a response that may not get credentials.
var ErrHostRefused = errors.New("may not get the credentials")

func retryable(cause Cause, err error) *Failure { return &Failure{Cause: cause, err: err} }

func permanent(cause Cause, err error) *Failure {
	return &Failure{Cause: cause, Permanent: true, err: err}
}

// Bounds of text of the platform in messages and logs.
const (
	maxShown      = 200 // characters of a name
	maxShownError = 512 // characters of an error, which may quote a line of a response
	maxListed     = 20
)

// Truncate shortens a name of the platform for messages.
func Truncate(text string) string { return truncateTo(text, maxShown) }

// TruncateList shortens a list of names for messages.
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

// truncateTo returns a text, or its first bytes and an ellipsis.
func truncateTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// brief is an error whose message is bounded, whatever it quotes.
type brief struct{ error }

func (b brief) Error() string { return truncateTo(b.error.Error(), maxShownError) }

func (b brief) Unwrap() error { return b.error }

// transportFailure is the failure of a request without a response. The URL in the
// errors of net/http is removed: what names it without its query.
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

// statusFailure is the failure of a response with another status than expected.
// withToken reports whether the request has a token of oauth2, or requests one.
func statusFailure(what string, response *http.Response, withToken bool, now time.Time) *Failure {
	failure := &Failure{Status: response.StatusCode}
	var hint string
	switch status := response.StatusCode; {
	case !withToken && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; " + withoutToken
	case status == http.StatusUnauthorized:
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; the token is not accepted: check oauth2::client_id, client_secret and token_url"
	case status == http.StatusForbidden:
		failure.Cause, failure.Permanent = Unauthorized, true
		hint = "; the OAuth client may not do this: grant it the scopes of oauth2::scopes"
	case status == http.StatusNotFound:
		failure.Cause, failure.Permanent = NotFound, true
		hint = "; check region or endpoint, and preflight::path"
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

// maxRetryAfter bounds Retry-After.
const maxRetryAfter = 10 * time.Minute

// retryAfter parses the header of that name, in seconds or as a date; 0 if invalid.
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
