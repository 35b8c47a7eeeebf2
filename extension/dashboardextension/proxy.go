// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
)

// proxy asks an outside Prometheus, Mimir or VictoriaMetrics, or an Alertmanager. Their addresses may have
// a path, such as Mimir's /prometheus, before /api/v1. Of a response that is truncated, httputil.ReverseProxy
// returns no error to a caller that is no server; it would be cached.
type proxy struct {
	name   string
	client *http.Client
	target *url.URL
	logger *zap.Logger
}

func newProxy(ctx context.Context, name string, config *confighttp.ClientConfig, host component.Host, set component.TelemetrySettings) (http.Handler, error) {
	client, err := config.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // what we are known by is for the one who was named
	}
	target, err := url.Parse(config.Endpoint)
	if err != nil {
		return nil, err
	}
	if target.Path == "" {
		target.Path = "/" // or what is joined to it would be relative
	}
	return &proxy{name: name, client: client, target: target, logger: set.Logger}, nil
}

// ServeHTTP passes on what request makes.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := p.pass(w, r)
	if err == nil {
		return
	}
	if rec, ok := w.(*recorder); ok && !rec.abort(err) {
		return // it was too large
	}
	if !errors.Is(err, context.Canceled) { // we are being shut down
		p.logger.Warn(p.name+" does not respond", zap.String("endpoint", p.target.Redacted()), zap.Error(err))
	}
}

// pass writes the answer as it comes, so that no more of it is in memory than is recorded. An answer that
// breaks off is an error.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request) error {
	out := r.Clone(r.Context())
	out.URL = p.target.JoinPath(r.URL.Path)
	out.URL.RawQuery = r.URL.RawQuery
	out.Host = ""
	longQueriesByPost(out)
	response, err := p.client.Do(out)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "application/json" {
		return p.refuse(w, response)
	}
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("%s: the response is truncated: %w", p.target.Redacted(), err)
	}
	return nil
}

// maxErrorText bounds what an error cites of an answer, in bytes.
const maxErrorText = 1 << 10

// refuse writes an answer that is not JSON as an error, so that nothing of it runs in the page's origin.
// Alertmanager confirms changes without a body, which is passed on.
func (p *proxy) refuse(w http.ResponseWriter, response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxErrorText))
	if err != nil {
		return fmt.Errorf("%s: the response is truncated: %w", p.target.Redacted(), err)
	}
	status := response.StatusCode
	answer := cache.Answer{Header: http.Header{"Content-Type": {"application/json"}}}
	switch {
	case status < http.StatusMultipleChoices && len(text) == 0:
	case status >= http.StatusBadRequest:
		answer = refusal(status, "unavailable", fmt.Errorf("%s: %s: %s", p.name, response.Status, bytes.TrimSpace(text)))
	default:
		status = http.StatusBadGateway
		answer = refusal(status, "unavailable", fmt.Errorf("%s responded with %s and content type %q, not application/json",
			p.name, response.Status, response.Header.Get("Content-Type")))
	}
	if after := response.Header.Get("Retry-After"); after != "" {
		w.Header().Set("Retry-After", after)
	}
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(status)
	_, err = w.Write(answer.Body)
	return err
}

// longQuery is how long a query may be within an address.
const longQuery = 4 << 10

// longQueriesByPost puts what is too long for an address into a form. Those who read
// labels by GET alone never get there.
func longQueriesByPost(r *http.Request) {
	if len(r.URL.RawQuery) <= longQuery {
		return
	}
	r.Method = http.MethodPost
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.ContentLength = int64(len(r.URL.RawQuery))
	r.Body = io.NopCloser(strings.NewReader(r.URL.RawQuery))
	r.URL.RawQuery = ""
}
