// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

type settings struct {
	Client confighttp.ClientConfig                                  `mapstructure:",squash"`
	Queue  configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Rules  []rule                                                   `mapstructure:"rules"`
	Free   map[string]string                                        `mapstructure:"free"`
}

type rule struct {
	Threshold float64       `mapstructure:"threshold"`
	Period    time.Duration `mapstructure:"period"`
}

func (s *settings) Warnings() []string {
	if s.Client.Endpoint == "odd" {
		return []string{"endpoint: is odd"}
	}
	return nil
}

func (s *settings) WarningsOfInput(types []string) []string {
	if s.Client.Endpoint != "of input" {
		return nil
	}
	return types
}

var testType = component.MustNewType("test")

// checkerOf has read a configuration of an exporter of the type test.
func checkerOf(t *testing.T, conf map[string]any) (*Checker, *observer.ObservedLogs) {
	t.Helper()
	set := otelcol.CollectorSettings{Factories: func() (otelcol.Factories, error) {
		return otelcol.Factories{Exporters: map[component.Type]exporter.Factory{
			testType: exporter.NewFactory(testType, func() component.Config {
				return &settings{Queue: configoptional.Default(exporterhelper.NewDefaultQueueConfig())}
			}),
		}}, nil
	}}
	checker := Watch(&set)
	core, logs := observer.New(zap.WarnLevel)
	factories := set.ConfigProviderSettings.ResolverSettings.ConverterFactories
	require.Len(t, factories, 1)
	converter := factories[0].Create(confmap.ConverterSettings{Logger: zap.New(core)})
	require.NoError(t, converter.Convert(t.Context(), confmap.NewFromStringMap(conf)))
	return checker, logs
}

// unmarshal returns the error that the Collector reports where settings do not decode.
func unmarshal(t *testing.T, id string, raw map[string]any) error {
	t.Helper()
	type section struct {
		Exporters decoded `mapstructure:"exporters"`
	}
	err := confmap.NewFromStringMap(map[string]any{"exporters": map[string]any{id: raw}}).Unmarshal(&section{Exporters: decoded{id: id}})
	require.Error(t, err)
	return fmt.Errorf("failed to get config: cannot unmarshal the configuration: %w", err)
}

type decoded struct{ id string }

func (d *decoded) Unmarshal(conf *confmap.Conf) error {
	sub, err := conf.Sub(d.id)
	if err != nil {
		return err
	}
	if err := sub.Unmarshal(&settings{}); err != nil {
		return fmt.Errorf("error reading configuration for %q: %w", d.id, err)
	}
	return nil
}

func TestExplain_UnknownKeys(t *testing.T) {
	t.Parallel()
	raw := map[string]any{
		"endpont": "x", "sending_queue": map[string]any{"enabled": true, "queue_sise": 1},
		"rules": []any{map[string]any{"treshold": 1}}, "free": map[string]any{"anything": "a"}, "certificates": 1,
	}
	checker, _ := checkerOf(t, map[string]any{"exporters": map[string]any{"test/a": raw, "test": nil}})
	cause := unmarshal(t, "test/a", raw)
	err := checker.Explain(cause)
	require.ErrorIs(t, err, cause)
	for _, want := range []string{
		"invalid configuration:\n",
		"exporters::test/a::endpont: unknown key; did you mean endpoint?",
		"exporters::test/a::sending_queue::queue_sise: unknown key; did you mean queue_size?",
		"exporters::test/a::rules::0::treshold: unknown key; did you mean threshold?",
		"exporters::test/a::certificates: unknown key; the keys here are auth, ",
	} {
		require.ErrorContains(t, err, want)
	}
	for _, not := range []string{"anything", "enabled: unknown", "has invalid keys", "decoding failed"} {
		assert.NotContains(t, err.Error(), not)
	}

	other := errors.New("something else")
	assert.Equal(t, other, checker.Explain(other))
	assert.NoError(t, checker.Explain(nil))
}

func TestExplain_ValuesOfTheWrongType(t *testing.T) {
	t.Parallel()
	raw := map[string]any{"sending_queue": map[string]any{"enabled": true, "num_consumers": "one"}}
	checker, _ := checkerOf(t, map[string]any{"exporters": map[string]any{"test/a": raw}})
	require.EqualError(t, checker.Explain(unmarshal(t, "test/a", raw)),
		"invalid configuration: exporters::test/a::sending_queue::num_consumers: expected type 'int', got unconvertible type 'string'")
}

func TestExplain_ComponentsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	checker, _ := checkerOf(t, map[string]any{"exporters": map[string]any{"test/a": nil}, "connectors": map[string]any{"ws_metrics": nil}})
	for text, want := range map[string]string{
		`service::pipelines::logs: references exporter "tset/a" which is not configured`:    "; did you mean test/a?",
		`service::pipelines::logs: references receiver "ws_metric" which is not configured`: "; did you mean ws_metrics?",
		`service::pipelines::logs: references receiver "other" which is not configured`:     "",
	} {
		require.EqualError(t, checker.Explain(errors.New(text)), text+want)
	}
	unknown := fmt.Errorf("failed to get config: cannot unmarshal the configuration: %w",
		errors.New(`unknown type: "drfit" for id: "drfit/a" (valid values: [batch drift])`))
	require.ErrorContains(t, checker.Explain(unknown), "did you mean drift?")
	signal := errors.New(`failed to get config: cannot unmarshal the configuration: service::pipelines: in "logs_alerts" id: unknown pipeline signal: "logs_alerts"`)
	assert.ErrorContains(t, checker.Explain(signal), "the name of a pipeline is its signal (logs, metrics or traces), or that with a name after a slash, as logs/alerts")
}

// inPipeline is a configuration with one exporter that the service starts.
func inPipeline(raw map[string]any, extensions ...any) map[string]any {
	return map[string]any{
		"exporters":  map[string]any{"test/a": raw, "test/unused": map[string]any{"endpoint": "localhost:99999"}},
		"extensions": map[string]any{"file_storage": nil, "other": nil},
		"service":    map[string]any{"extensions": extensions, "pipelines": map[string]any{"logs": map[string]any{"exporters": []any{"test/a"}}}},
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	queue := func(storage string) map[string]any {
		return map[string]any{"sending_queue": map[string]any{"storage": storage}}
	}
	for name, test := range map[string]struct {
		raw  map[string]any
		want string // empty: no problem
	}{
		"extension":                  {raw: queue("file_storage")},
		"extension, misspelt":        {raw: queue("filestorage"), want: "exporters::test/a::sending_queue::storage: filestorage: no extension has this ID; did you mean file_storage?"},
		"extension, unlike others":   {raw: queue("redis"), want: "the extensions of the service are file_storage"},
		"extension, not started":     {raw: queue("other"), want: "exporters::test/a::sending_queue::storage: other: is not in service::extensions, so it is not started"},
		"host and port":              {raw: map[string]any{"endpoint": "localhost:65535"}},
		"port":                       {raw: map[string]any{"endpoint": "localhost:65536"}, want: "exporters::test/a::endpoint: port 65536: must be at most 65535"},
		"port of a URL":              {raw: map[string]any{"metrics_endpoint": "https://a.example.org:99999/v1"}, want: "metrics_endpoint: port 99999: must be at most 65535"},
		"port of a broker":           {raw: map[string]any{"brokers": []any{"a:9092", "b:90920"}}, want: "brokers: port 90920: must be at most 65535"},
		"placeholder":                {raw: map[string]any{"endpoint": "https://<your-host>/v1"}, want: "endpoint: <your-host>: is a placeholder, not a host"},
		"placeholder, without a URL": {raw: map[string]any{"endpoint": "${HOST}:4317"}, want: "endpoint: ${HOST}: is a placeholder, not a host"},
		"path with braces":           {raw: map[string]any{"endpoint": "https://a.example.org/{x}"}},
		"IPv6":                       {raw: map[string]any{"endpoint": "[::1]:4317"}},
		"unix socket":                {raw: map[string]any{"endpoint": "/run/a.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checker, _ := checkerOf(t, inPipeline(test.raw, "file_storage"))
			if err := checker.Problems(); test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
}

func TestWarnings_DurationsAndUnusedComponents(t *testing.T) {
	t.Parallel()
	checker, _ := checkerOf(t, inPipeline(map[string]any{"timeout": 5}, "file_storage"))
	assert.Equal(t, []string{
		"exporters::test/a::timeout: 5: has no unit; write 5s for seconds (units: ns, us, ms, s, m, h); this component reads it as nanoseconds",
		"exporters::test/unused: is configured and in no pipeline, so it is not started",
	}, checker.Warnings())
}

func TestWarnings_OfComponents(t *testing.T) {
	t.Parallel()
	conf := inPipeline(map[string]any{"endpoint": "odd"})
	delete(conf["exporters"].(map[string]any), "test/unused")
	checker, _ := checkerOf(t, conf)
	assert.Equal(t, []string{"exporters::test/a::endpoint: is odd"}, checker.Warnings())
}

// An exporter is given the types of all that comes before it, in all of its pipelines.
func TestWarnings_OfInput(t *testing.T) {
	t.Parallel()
	checker, _ := checkerOf(t, map[string]any{
		"exporters": map[string]any{"test/a": map[string]any{"endpoint": "of input"}, "test/b": map[string]any{"endpoint": "of input"}},
		"service": map[string]any{"pipelines": map[string]any{
			"logs":   map[string]any{"receivers": []any{"alert/x", "forward"}, "processors": []any{"batch"}, "exporters": []any{"test/a"}},
			"logs/2": map[string]any{"receivers": []any{"alert"}, "processors": nil, "exporters": []any{"test/a", "debug"}},
			"logs/3": map[string]any{"receivers": []any{"otlp"}, "exporters": []any{"debug"}},
			"broken": "x",
		}},
	})
	assert.Equal(t, []string{
		"exporters::test/a::alert", "exporters::test/a::batch", "exporters::test/a::forward",
		"exporters::test/b: is configured and in no pipeline, so it is not started",
	}, checker.Warnings())
}

// anyProvider returns nothing for every URI.
type anyProvider struct{ confmap.Provider }

func (anyProvider) Retrieve(context.Context, string, confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return confmap.NewRetrieved(nil)
}

func TestUnset_EnvironmentVariables(t *testing.T) {
	t.Parallel()
	set := otelcol.CollectorSettings{Factories: func() (otelcol.Factories, error) { return otelcol.Factories{}, nil }}
	set.ConfigProviderSettings.ResolverSettings.ProviderFactories = []confmap.ProviderFactory{
		confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return anyProvider{} }),
	}
	checker := Watch(&set)
	resolver := set.ConfigProviderSettings.ResolverSettings
	provider := resolver.ProviderFactories[0].Create(confmap.ProviderSettings{})
	read := func(uris ...string) {
		for _, uri := range uris {
			_, err := provider.Retrieve(t.Context(), uri, nil)
			require.NoError(t, err)
		}
		require.NoError(t, resolver.ConverterFactories[0].Create(confmap.ConverterSettings{}).Convert(t.Context(), confmap.New()))
	}
	read("file:a.yaml", "env:CONFIGCHECK_UNSET_B", "env:CONFIGCHECK_UNSET_A", "env:CONFIGCHECK_UNSET_B", "env:CONFIGCHECK_UNSET_C:-x", "env:CONFIGCHECK_UNSET_D:-", "env:PATH")
	want := []string{
		"environment variable CONFIGCHECK_UNSET_A is not set, and the configuration gives it no default: its value is empty",
		"environment variable CONFIGCHECK_UNSET_B is not set, and the configuration gives it no default: its value is empty",
	}
	assert.Equal(t, want, checker.Unset())
	assert.Equal(t, want, checker.Warnings())
	read("env:PATH")
	assert.Empty(t, checker.Unset(), "of the configuration that was read last")
}

func TestWarnings_PlainTextToAnotherHost(t *testing.T) {
	t.Parallel()
	exporters := func(settings map[string]any) map[string]any {
		return map[string]any{"exporters": map[string]any{"otlp_http": settings}}
	}
	for name, conf := range map[string]map[string]any{
		"exporters::otlp_http::endpoint: http://gateway:4318":           exporters(map[string]any{"endpoint": "http://gateway:4318"}),
		"exporters::otlp_http::metrics_endpoint: http://10.0.0.1:9090":  exporters(map[string]any{"metrics_endpoint": "HTTP://10.0.0.1:9090/api/v1/otlp/v1/metrics"}),
		"exporters::otlp_http::endpoint: http://[2001:db8::1]":          exporters(map[string]any{"endpoint": "http://[2001:db8::1]/"}),
		"exporters::otlp_http::endpoint: http://127.0.0.1.example.com:": exporters(map[string]any{"endpoint": "http://127.0.0.1.example.com:1", "tls": map[string]any{"insecure": false}}),
		"exporters::kafka::brokers: k:9092":                             {"exporters": map[string]any{"kafka": map[string]any{"brokers": []any{"localhost:9092", "k:9092"}}}},
		"receivers::ccaas_kafka::brokers: k:9092":                       {"receivers": map[string]any{"ccaas_kafka": map[string]any{"brokers": "k:9092"}}},
		"exporter::otlp::endpoint: http://tempo:4318": {"service": map[string]any{"telemetry": map[string]any{"traces": map[string]any{"processors": []any{
			map[string]any{"batch": map[string]any{"exporter": map[string]any{"otlp": map[string]any{"endpoint": "http://tempo:4318"}}}},
		}}}}},
	} {
		checker, logs := checkerOf(t, conf)
		warnings := checker.Warnings()
		require.Len(t, warnings, 1, name)
		assert.Contains(t, warnings[0], name)
		assert.Equal(t, 1, logs.FilterMessage(warnings[0]).Len(), "it is logged at the start, too")
	}
	for _, conf := range []map[string]any{
		nil,
		exporters(map[string]any{"endpoint": "https://gateway:4318"}),
		exporters(map[string]any{"endpoint": "http://gateway:4318", "tls": map[string]any{"insecure": true}}),
		exporters(map[string]any{"endpoint": "http://LOCALHOST.:4318", "metrics_endpoint": "http://127.0.0.2:1", "logs_endpoint": "http://[::1]:1"}),
		{"exporters": map[string]any{"prometheus": map[string]any{"endpoint": "0.0.0.0:9464"}}},
		{"exporters": map[string]any{"kafka": map[string]any{"brokers": []any{"k:9092"}, "tls": map[string]any{"ca_file": "a"}}}},
		{"exporters": map[string]any{"kafka": map[string]any{"brokers": []any{"[::1]:9092", "127.0.0.1:9092", "localhost"}}}},
	} {
		checker, logs := checkerOf(t, conf)
		assert.Empty(t, checker.Warnings(), "%v", conf)
		assert.Zero(t, logs.Len())
	}
}
