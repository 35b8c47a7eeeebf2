// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.uber.org/zap"
)

// newProxy asks an outside Prometheus, Mimir or VictoriaMetrics. Their addresses may
// have a path, such as Mimir's /prometheus, before /api/v1.
func newProxy(ctx context.Context, config *confighttp.ClientConfig, host component.Host, set component.TelemetrySettings) (http.Handler, error) {
	client, err := config.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Endpoint)
	if err != nil {
		return nil, err
	}
	errorLog, err := zap.NewStdLogAt(set.Logger, zap.DebugLevel)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Transport: client.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			longQueriesByPost(r.Out)
		},
		ErrorLog: errorLog,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			set.Logger.Warn("Prometheus does not answer", zap.String("endpoint", target.Redacted()), zap.Error(err))
			answer := refusal(http.StatusBadGateway, "unavailable", err)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.Status)
			_, _ = w.Write(answer.Body)
		},
	}, nil
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
