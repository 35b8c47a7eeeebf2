// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/verdict"
)

// answer is what came of a request.
type answer struct {
	verdict verdict.Verdict
	status  int // 0: there was no answer
	pause   time.Duration
	err     error // nil: delivered
}

// post makes one request. The time is that of the attempt, the id that of the
// message, so that a receiver can tell an attempt that is old and one that it has.
func (e *webhookExporter) post(ctx context.Context, id string, now time.Time, content payload.Payload) answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.target.String(), bytes.NewReader(content.Body))
	if err != nil {
		return answer{verdict: verdict.Refused, err: e.failed(err)}
	}
	request.Header.Set("Content-Type", content.ContentType)
	request.Header.Set("User-Agent", e.userAgent)
	if err = e.sign(request.Header, id, now, content.Body); err != nil {
		return answer{verdict: verdict.Refused, err: err}
	}
	response, err := e.client.Do(request)
	if err != nil {
		return answer{verdict: verdict.Retry, err: e.failed(err)}
	}
	defer response.Body.Close()
	a := answer{verdict: verdict.Of(response.StatusCode), status: response.StatusCode}
	said := excerpt(response.Body)
	if a.verdict == verdict.Delivered {
		return a
	}
	a.pause = verdict.RetryAfter(response.Header.Get("Retry-After"), now)
	a.err = fmt.Errorf("POST to %s: %d %s%s%s", e.target.Host, response.StatusCode, http.StatusText(response.StatusCode), said, hint(response))
	return a
}

// sign writes the headers of Standard Webhooks. Without a secret there is no
// signature, and still an id to recognise a message by.
func (e *webhookExporter) sign(header http.Header, id string, now time.Time, body []byte) error {
	header.Set(webhooks.HeaderWebhookID, id)
	header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	signatures := make([]string, len(e.signers))
	for i, signer := range e.signers {
		var err error
		if signatures[i], err = signer.Sign(id, now, body); err != nil {
			return fmt.Errorf("cannot be signed: %w", err)
		}
	}
	if len(signatures) > 0 {
		header.Set(webhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}

// failed names the host and not the whole URL, whose path may be a secret.
func (e *webhookExporter) failed(err error) error {
	if inURL, ok := errors.AsType[*url.Error](err); ok {
		err = inURL.Err
	}
	return fmt.Errorf("POST to %s: %w", e.target.Host, err)
}

const (
	quoted  = 200       // characters of an answer that an error repeats
	drained = 64 * 1024 // bytes of an answer that are read, so that its connection can be used again
)

// excerpt is the beginning of what the receiver said, to be put into an error.
func excerpt(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, 4*quoted))
	_, _ = io.CopyN(io.Discard, body, drained)
	said := []rune(strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD")))
	switch {
	case len(said) == 0:
		return ""
	case len(said) > quoted:
		return fmt.Sprintf(": %q…", string(said[:quoted]))
	default:
		return fmt.Sprintf(": %q", string(said))
	}
}

// hint says what may mend it, where the answer tells.
func hint(response *http.Response) string {
	switch verdict.Of(response.StatusCode) {
	case verdict.Redirected:
		if to, err := response.Location(); err == nil {
			return fmt.Sprintf(" (redirects to %s are not followed; if the receiver has moved there, change endpoint)", to.Host)
		}
		return " (redirects are not followed; change endpoint)"
	case verdict.Gone:
		return " (the receiver wants nothing more)"
	case verdict.Refused:
		switch response.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return " (look at auth, headers and secret)"
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return " (look at endpoint)"
		}
	}
	return ""
}

// failure says what the answer means for the record.
func (a *answer) failure() failure {
	f := failure{err: a.err, status: a.status, pause: a.pause}
	switch a.verdict {
	case verdict.Retry:
		f.again = true
	case verdict.Redirected:
		f.reason, f.config = reasonRedirect, true
	case verdict.Gone:
		f.reason, f.config = reasonGone, true
	case verdict.Refused:
		f.reason = reasonRefused
		switch a.status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
			f.config = true
		}
	}
	return f
}
