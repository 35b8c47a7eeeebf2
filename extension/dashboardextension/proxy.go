// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.uber.org/zap"
)

// proxy asks an outside Prometheus, Mimir or VictoriaMetrics, or an Alertmanager. Their addresses may have
// a path, such as Mimir's /prometheus, before /api/v1.
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
		p.logger.Warn(p.name+" does not answer", zap.String("endpoint", p.target.Redacted()), zap.Error(err))
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
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("%s: the answer breaks off: %w", p.target.Redacted(), err)
	}
	return nil
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
