// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
)

const addressTimeout = 10 * time.Second

// listening are the keys of exporters that listen, by type.
var listening = map[string]string{"prometheus": "endpoint", "alertmanager": "api::endpoint"}

// signalEndpoints are the keys of otlp_http whose address is that of an OTLP receiver, with its path.
var signalEndpoints = map[string]bool{"logs_endpoint": true, "metrics_endpoint": true, "traces_endpoint": true}

// target is an address that a component sends to.
type target struct {
	key     string // of the configuration
	address *url.URL
}

// addresses checks that what an exporter sends to, or a broker, answers.
func addresses(ctx context.Context, one *configcheck.Component, own map[string]string, report *diagnosis.Report) {
	targets := targets(one)
	for _, to := range targets {
		host := hostPort(to.address)
		if listener := own[host]; listener != "" {
			if served := elsewhere(one, to, listener); served != "" {
				report.Failed("answers", "%s: %s is %s of this configuration, which serves no path %q: what is sent there is lost; set %s",
					to.key, host, listener, to.address.Path, (&url.URL{Scheme: to.address.Scheme, Host: to.address.Host, Path: served}).String())
				continue
			}
			report.OK("answers", "%s: %s is %s of this configuration", to.key, host, listener)
			continue
		}
		if err := answers(ctx, to.address, one.Settings, signalEndpoints[to.key] && one.Type() == "otlp_http"); err != nil {
			report.Failed("answers", "%s: %s: %v; check the address, and whether the server runs", to.key, host, err)
			continue
		}
		report.OK("answers", "%s: %s", to.key, host)
	}
}

// dashboardPaths are what a dashboard accepts, by the type of the exporter and its key.
var dashboardPaths = map[[2]string]string{
	{"otlp_http", "endpoint"}:               "/api/v1/otlp", // the exporter appends /v1/metrics or /v1/logs
	{"otlp_http", "metrics_endpoint"}:       "/api/v1/otlp/v1/metrics",
	{"otlp_http", "logs_endpoint"}:          "/api/v1/otlp/v1/logs",
	{"prometheus_remote_write", "endpoint"}: "/api/v1/write",
	{"prometheusremotewrite", "endpoint"}:   "/api/v1/write",
}

// elsewhere returns the path that an exporter must send to where it sends to another one of
// the configuration's dashboard; empty: the path is right, or is not known.
func elsewhere(one *configcheck.Component, to target, listener string) string {
	section, id, _ := strings.Cut(listener, confmap.KeyDelimiter)
	listening := configcheck.Component{Section: section, ID: id}
	if section != "extensions" || listening.Type() != "dashboard" {
		return ""
	}
	served, path := dashboardPaths[[2]string{one.Type(), to.key}], to.address.Path
	if to.key == "endpoint" && one.Type() == "otlp_http" {
		path = strings.TrimSuffix(path, "/")
	}
	if path == served {
		return ""
	}
	return served
}

// brokerKeys are the endpoints that a receiver connects to, by its type.
var brokerKeys = map[string][]string{"ccaas_rabbitmq": {"endpoint", "amqp_endpoint"}}

// targets returns the addresses of an exporter, and the brokers of any component.
func targets(one *configcheck.Component) []target {
	var found []target
	configcheck.EachAddress(one.Settings, func(key, text string) {
		broker := key == "brokers" || strings.HasSuffix(key, confmap.KeyDelimiter+"brokers") ||
			one.Section == "receivers" && slices.Contains(brokerKeys[one.Type()], key)
		if one.Section != "exporters" && !broker || key == listening[one.Type()] {
			return
		}
		for address := range strings.SplitSeq(text, ",") {
			if at := parse(strings.TrimSpace(address)); at != nil {
				found = append(found, target{key: key, address: at})
			}
		}
	})
	return found
}

// parse reads a URL or host:port; nil for what is neither, as a Unix socket.
func parse(text string) *url.URL {
	if !strings.Contains(text, "://") {
		host, port, err := net.SplitHostPort(text)
		if err != nil || host == "" || port == "" {
			return nil
		}
		return &url.URL{Host: text}
	}
	at, err := url.Parse(text)
	if err != nil || at.Hostname() == "" {
		return nil
	}
	return at
}

// hostPort returns the host and the port of an address, and never what may be a secret.
func hostPort(at *url.URL) string {
	if at.Port() != "" {
		return net.JoinHostPort(at.Hostname(), at.Port())
	}
	ports := map[string]string{
		"https": "443", "http": "80", "postgres": "5432", "postgresql": "5432",
		"amqp": "5672", "amqps": "5671", "rabbitmq-stream": "5552", "rabbitmq-stream+tls": "5551",
	}
	return net.JoinHostPort(at.Hostname(), ports[at.Scheme])
}

// answers connects to an address. With http or https it expects a response that is no error
// of the server; the request has no credentials and no content. That to an OTLP receiver is an
// export of nothing, so that a path without a receiver is found.
func answers(ctx context.Context, at *url.URL, settings map[string]any, otlp bool) error {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	security, err := clientTLS(ctx, settings)
	if err != nil {
		return err
	}
	if at.Scheme != "http" && at.Scheme != "https" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostPort(at))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: security, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	bare := &url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}
	method := http.MethodHead
	if otlp {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, bare.String(), http.NoBody)
	if err != nil {
		return errors.New("not an address")
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := client.Do(request)
	if err != nil {
		if inURL, ok := err.(*url.Error); ok { //nolint:errorlint // the URL may hold a secret
			err = inURL.Err
		}
		return err
	}
	_ = response.Body.Close()
	if otlp && response.StatusCode == http.StatusNotFound {
		return errors.New("the response is 404 Not Found: there is no OTLP receiver at this path, and what is sent there is lost " +
			"(Prometheus needs --web.enable-otlp-receiver)")
	}
	if response.StatusCode >= http.StatusInternalServerError && response.StatusCode != http.StatusNotImplemented {
		return fmt.Errorf("the response is %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	return nil
}

// clientTLS returns the TLS settings of a component; nil: the defaults.
func clientTLS(ctx context.Context, settings map[string]any) (*tls.Config, error) {
	raw, ok := settings["tls"].(map[string]any)
	if !ok {
		return nil, nil //nolint:nilnil // documented
	}
	config := configtls.NewDefaultClientConfig()
	if err := confmap.NewFromStringMap(raw).Unmarshal(&config, confmap.WithIgnoreUnused()); err != nil {
		return nil, err
	}
	security, err := config.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return security, nil
}

// listeners returns the addresses that the configuration listens on, with the component.
func listeners(components []configcheck.Component) map[string]string {
	own := map[string]string{}
	for n := range components {
		one := &components[n]
		conf := confmap.New()
		if conf.Marshal(one.Config) != nil {
			continue
		}
		configcheck.EachAddress(conf.ToStringMap(), func(key, text string) {
			if one.Section == "exporters" && key != listening[one.Type()] || one.Section != "exporters" && !strings.HasSuffix(key, "endpoint") ||
				one.Section == "receivers" && slices.Contains(brokerKeys[one.Type()], key) {
				return
			}
			if at := parse(text); at != nil && at.Scheme == "" {
				own[at.Host] = one.Path()
			}
		})
	}
	for _, host := range slices.Sorted(maps.Keys(own)) { // each spelling of loopback
		_, port, _ := net.SplitHostPort(host)
		if ip := net.ParseIP(hostOf(host)); hostOf(host) == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
			for _, same := range []string{"localhost", "127.0.0.1", "::1"} {
				own[net.JoinHostPort(same, port)] = own[host]
			}
		}
	}
	return own
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
