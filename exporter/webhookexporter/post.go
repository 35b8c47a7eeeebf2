// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// answer is what came of a request.
type answer struct {
	verdict httpstatus.Result
	status  int // 0: there was no answer
	pause   time.Duration
	err     error // nil: delivered
	body    bool  // the status is 2xx, and the body is no success
}

// post makes one request. The time is that of the attempt, the id that of the
// message, so that a receiver can tell an attempt that is old and one that it has.
func (e *webhookExporter) post(ctx context.Context, id string, now time.Time, content payload.Payload) answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.target.String(), bytes.NewReader(content.Body))
	if err != nil {
		return answer{verdict: httpstatus.Refused, err: e.failed(err)}
	}
	request.Header.Set("Content-Type", content.ContentType)
	request.Header.Set("User-Agent", e.userAgent)
	if err = e.sign(request.Header, id, now, content.Body); err != nil {
		return answer{verdict: httpstatus.Refused, err: err}
	}
	response, err := e.client.Do(request)
	if err != nil {
		return answer{verdict: httpstatus.Retry, err: e.failed(err)}
	}
	defer response.Body.Close()
	a := answer{verdict: httpstatus.Classify(response.StatusCode), status: response.StatusCode}
	if a.verdict != httpstatus.Delivered || e.success == nil {
		// The status is the result; a body that arrives slowly must not hold the request.
		defer time.AfterFunc(bodyTime, cancel).Stop()
	}
	body := readBody(response.Body)
	said := excerpt(body)
	if a.verdict == httpstatus.Delivered {
		switch {
		case e.success != nil && !e.success.Match(body):
			a.verdict, a.body = httpstatus.Refused, true
			a.err = fmt.Errorf("POST to %s: %d %s%s (the body does not match success_body)", e.target.Host, response.StatusCode, http.StatusText(response.StatusCode), said)
		case e.success == nil && reportsError(body):
			e.telemetry.WebhookErrorBodies.Add(ctx, 1)
			e.logger.Warn("Receiver responded with success and an error in the body; the record counts as delivered. Set success_body to have such records retried",
				zap.String("webhook_id", id), zap.String("host", e.target.Host), zap.Int("status", response.StatusCode), zap.String("body", strings.TrimPrefix(said, ": ")))
		}
		return a
	}
	a.pause = httpstatus.RetryAfter(response.Header.Get("Retry-After"), now)
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
	return fmt.Errorf("POST to %s: %w%s", e.target.Host, err, advice(err))
}

// advice is what corrects a connection that failed, where the error tells.
func advice(err error) string {
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "proxyconnect" {
		return " (the proxy cannot be reached: check proxy_url, or HTTPS_PROXY, HTTP_PROXY and NO_PROXY)"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if invalid.Cert != nil && strings.Contains(invalid.Detail, "is before") {
			return " (the receiver's certificate is not valid yet: check the clocks of both hosts)"
		}
		return " (the receiver's certificate has expired: renew it there; a CA file does not help)"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return " (the receiver's certificate is for another host: correct endpoint, or set tls::server_name_override)"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return " (the receiver's certificate is signed by an unknown authority: set tls::ca_file)"
	}
	return ""
}

const (
	quoted   = 200                    // characters of a body that an error repeats
	maxBody  = 64 * 1024              // bytes of a body that are read; its connection can be used again where that is all
	bodyTime = 500 * time.Millisecond // for which a body is read where the status is the result
)

// readBody is the beginning of a body, as far as it arrives.
func readBody(body io.Reader) []byte {
	text, _ := io.ReadAll(io.LimitReader(body, maxBody))
	return text
}

// reportsError reports whether a body is a JSON object that says that the request
// failed, as {"status":"error"} and {"ok":false} do.
func reportsError(body []byte) bool {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return false
	}
	status, _ := object["status"].(string)
	switch strings.ToLower(status) {
	case "error", "fail", "failed", "failure":
		return true
	}
	return object["ok"] == false || object["success"] == false
}

// excerpt is the beginning of a body, to be put into an error.
func excerpt(body []byte) string {
	said := []rune(strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 4*quoted)]), "\uFFFD")))
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
	switch httpstatus.Classify(response.StatusCode) {
	case httpstatus.Redirected:
		if to, err := response.Location(); err == nil {
			return fmt.Sprintf(" (redirects to %s are not followed; if the receiver has moved there, change endpoint)", to.Host)
		}
		return " (redirects are not followed; change endpoint)"
	case httpstatus.Gone:
		return " (the receiver wants nothing more)"
	case httpstatus.Refused:
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
	case httpstatus.Retry:
		f.again = true
	case httpstatus.Redirected:
		f.reason, f.config = reasonRedirect, true
	case httpstatus.Gone:
		f.reason, f.config = reasonGone, true
	case httpstatus.Refused:
		f.reason = reasonRefused
		if a.body || a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
			f.auth, f.again, f.config = true, true, true
		}
		switch a.status {
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			f.config = true
		}
	}
	return f
}
