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
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/httpstatus"
)

// response is the result of a request.
type response struct {
	outcome httpstatus.Result
	status  int           // 0: there was no response
	delay   time.Duration // that the receiver requested
	err     error         // nil: delivered
	body    bool          // the status is 2xx, and success_body does not match
	sent    bool          // the request, or some of it
}

// rejected reports whether the receiver has certainly not accepted the record. After a
// timeout or a reset it may have.
func (r *response) rejected() bool { return r.err != nil && (r.status != 0 || !r.sent) }

// post makes one request. The time is that of the attempt, the id that of the message, so
// that a receiver recognises an attempt that is old and a message that it has.
func (e *webhookExporter) post(ctx context.Context, id string, now time.Time, content payload.Payload) response {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	request, err := http.NewRequestWithContext(traced, http.MethodPost, e.endpoint.String(), bytes.NewReader(content.Body))
	if err != nil {
		return response{outcome: httpstatus.Refused, err: e.failed(err)}
	}
	request.Header.Set("Content-Type", content.ContentType)
	request.Header.Set("User-Agent", e.userAgent)
	if err = e.signer.Sign(request.Header, id, now, content.Body); err != nil {
		return response{outcome: httpstatus.Refused, err: err}
	}
	received, err := e.client.Do(request)
	if err != nil {
		return response{outcome: httpstatus.Retry, err: e.failed(err), sent: sent.Load()}
	}
	defer received.Body.Close()
	r := response{outcome: httpstatus.Classify(received.StatusCode), status: received.StatusCode, sent: true}
	if r.outcome != httpstatus.Delivered || e.success == nil {
		// The status is the result; a body that arrives slowly must not hold the request.
		defer time.AfterFunc(bodyTime, cancel).Stop()
	}
	body := readBody(received.Body)
	excerpt := excerptOf(body)
	if r.outcome == httpstatus.Delivered {
		switch {
		case e.success != nil && !e.success.Match(body):
			r.outcome, r.body = httpstatus.Refused, true
			r.err = fmt.Errorf("POST to %s: %d %s%s (the body does not match success_body)", e.endpoint.Host, r.status, http.StatusText(r.status), excerpt)
		case e.success == nil && reportsError(body):
			e.telemetry.WebhookErrorBodies.Add(ctx, 1)
			e.logger.Warn("Receiver responded with success and an error in the body; the record counts as delivered. Set success_body to have such records retried",
				zap.String("webhook_id", id), zap.String("host", e.endpoint.Host), zap.Int("status", r.status), zap.String("body", strings.TrimPrefix(excerpt, ": ")))
		}
		return r
	}
	r.delay = httpstatus.RetryAfter(received.Header.Get("Retry-After"), now)
	r.err = fmt.Errorf("POST to %s: %d %s%s%s", e.endpoint.Host, r.status, http.StatusText(r.status), excerpt, hint(received))
	return r
}

// failed adds the host to an error, and not the URL, whose path may be a secret.
func (e *webhookExporter) failed(err error) error {
	if inURL, ok := errors.AsType[*url.Error](err); ok {
		err = inURL.Err
	}
	return fmt.Errorf("POST to %s: %w%s", e.endpoint.Host, err, advice(err))
}

// advice returns what corrects a connection that failed, where the error is specific.
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

// readBody returns the beginning of a body, as far as it arrives.
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

// excerptOf returns the beginning of a body, for an error.
func excerptOf(body []byte) string {
	text := []rune(strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 4*quoted)]), "\uFFFD")))
	switch {
	case len(text) == 0:
		return ""
	case len(text) > quoted:
		return fmt.Sprintf(": %q…", string(text[:quoted]))
	default:
		return fmt.Sprintf(": %q", string(text))
	}
}

// hint returns what may correct a response, where its status is specific.
func hint(response *http.Response) string {
	switch httpstatus.Classify(response.StatusCode) {
	case httpstatus.Redirected:
		if to, err := response.Location(); err == nil {
			return fmt.Sprintf(" (redirects to %s are not followed; if the receiver has moved there, change endpoint)", to.Host)
		}
		return " (redirects are not followed; change endpoint)"
	case httpstatus.Gone:
		return " (the receiver accepts nothing more)"
	case httpstatus.Refused:
		switch response.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return " (check auth, headers and secret)"
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return " (check endpoint)"
		}
	}
	return ""
}

// failure returns the consequence of the response for the record.
func (r *response) failure() failure {
	f := failure{err: r.err, status: r.status, delay: r.delay}
	switch r.outcome {
	case httpstatus.Retry:
		f.retry = true
	case httpstatus.Redirected:
		f.reason, f.config = reasonRedirect, true
	case httpstatus.Gone:
		f.reason, f.config = reasonGone, true
	case httpstatus.Refused:
		f.reason = reasonRefused
		if r.body || r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
			f.auth, f.retry, f.config = true, true, true
		}
		switch r.status {
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			f.config = true
		}
	case httpstatus.Delivered:
	}
	return f
}

// count adds a request to own telemetry.
func (e *webhookExporter) count(ctx context.Context, r response, took time.Duration) {
	reported := r.outcome
	if reported == httpstatus.Redirected {
		reported = httpstatus.Refused
	}
	outcome := attribute.String("outcome", string(reported))
	e.telemetry.WebhookRequests.Add(ctx, 1, metric.WithAttributes(outcome, attribute.String("status_class", httpstatus.Class(r.status))))
	e.telemetry.WebhookRequestDuration.Record(ctx, took.Seconds(), metric.WithAttributes(outcome))
}
