// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
)

// Checker checks the configuration that a Collector reads.
type Checker struct {
	set   otelcol.CollectorSettings
	mutex sync.Mutex
	conf  map[string]any // as it was read last
	unset environment
}

// Watch makes a Checker of the configurations that are read with set. What is sent in
// plain text to another host is logged each time.
func Watch(set *otelcol.CollectorSettings) *Checker {
	c := &Checker{}
	resolver := &set.ConfigProviderSettings.ResolverSettings
	resolver.ProviderFactories = c.unset.watch(resolver.ProviderFactories)
	resolver.ConverterFactories = append(slices.Clip(resolver.ConverterFactories), confmap.NewConverterFactory(func(set confmap.ConverterSettings) confmap.Converter {
		return &recorder{checker: c, logger: set.Logger}
	}))
	c.set = *set
	return c
}

// recorder keeps a configuration after all values have been inserted. It changes nothing.
type recorder struct {
	checker *Checker
	logger  *zap.Logger
}

// Convert implements confmap.Converter.
func (r *recorder) Convert(_ context.Context, conf *confmap.Conf) error {
	whole := conf.ToStringMap()
	r.checker.mutex.Lock()
	r.checker.conf = whole
	r.checker.mutex.Unlock()
	r.checker.unset.commit()
	if r.logger != nil {
		for _, warning := range plainText(whole) {
			r.logger.Warn(warning)
		}
	}
	return nil
}

func (c *Checker) latest() map[string]any {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.conf
}

// unknownKeys is how confmap's decoder says that there are some.
const unknownKeys = "has invalid keys"

// Explain adds to an error about unknown keys the path of each, and the key that was
// probably meant. Every other error is returned as it is.
func (c *Checker) Explain(err error) error {
	if err == nil || !strings.Contains(err.Error(), unknownKeys) || c.latest() == nil {
		return err
	}
	factories, factoriesErr := c.set.Factories()
	if factoriesErr != nil {
		return err
	}
	hints := suggestions(c.latest(), defaultConfigs(factories))
	if len(hints) == 0 {
		return err
	}
	return fmt.Errorf("%w\n\n%s", err, strings.Join(hints, "\n"))
}

// Warnings are what is valid in the configuration that was read last, and probably not
// intended. Components add theirs by a method Warnings of their configuration, and one
// WarningsOfInput where it depends on what they are given.
func (c *Checker) Warnings() []string {
	conf := c.latest()
	warnings := append(c.Unset(), plainText(conf)...)
	factories, err := c.set.Factories()
	if err != nil {
		return warnings
	}
	for section, creators := range defaultConfigs(factories) {
		components, _ := conf[section].(map[string]any)
		for id, raw := range components {
			kind, _, _ := strings.Cut(id, "/")
			create, found := creators[strings.TrimSpace(kind)]
			if !found {
				continue
			}
			for _, warning := range componentWarnings(create(), raw, upstream(conf, section, id)) {
				warnings = append(warnings, section+"::"+id+"::"+warning)
			}
		}
	}
	slices.Sort(warnings)
	return warnings
}

// Unset are warnings of the environment variables that the configuration names without
// a default, and that are not set. They are good for a configuration that is not valid, too.
func (c *Checker) Unset() []string {
	var warnings []string
	for _, name := range c.unset.names() {
		warnings = append(warnings, "environment variable "+name+" is not set, and the configuration gives it no default: its value is empty")
	}
	return warnings
}

// componentWarnings are those of a component; types are those of the components that
// its data passes before.
func componentWarnings(config component.Config, raw any, types []string) []string {
	warned, ofItself := config.(interface{ Warnings() []string })
	input, ofInput := config.(interface{ WarningsOfInput(types []string) []string })
	settings, isMap := raw.(map[string]any)
	if !ofItself && !ofInput || !isMap || confmap.NewFromStringMap(settings).Unmarshal(config) != nil {
		return nil
	}
	var warnings []string
	if ofItself {
		warnings = warned.Warnings()
	}
	if ofInput {
		warnings = append(warnings, input.WarningsOfInput(types)...)
	}
	return warnings
}

// upstream are the types of the receivers (connectors among them) and processors in the
// pipelines that end in an exporter; none for components of other sections.
func upstream(conf map[string]any, section, id string) []string {
	if section != "exporters" {
		return nil
	}
	service, _ := conf["service"].(map[string]any)
	pipelines, _ := service["pipelines"].(map[string]any)
	var types []string
	for _, raw := range pipelines {
		pipeline, _ := raw.(map[string]any)
		if exporters, _ := pipeline["exporters"].([]any); !slices.Contains(exporters, any(id)) {
			continue
		}
		for _, key := range []string{"receivers", "processors"} {
			components, _ := pipeline[key].([]any)
			for _, component := range components {
				name, _ := component.(string)
				kind, _, _ := strings.Cut(name, "/")
				types = append(types, strings.TrimSpace(kind))
			}
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// defaultConfigs are the default configurations of all components, by section and type.
func defaultConfigs(factories otelcol.Factories) map[string]map[string]func() component.Config {
	all := map[string]map[string]func() component.Config{}
	addSection(all, "receivers", factories.Receivers)
	addSection(all, "processors", factories.Processors)
	addSection(all, "exporters", factories.Exporters)
	addSection(all, "connectors", factories.Connectors)
	addSection(all, "extensions", factories.Extensions)
	return all
}

func addSection[F component.Factory](all map[string]map[string]func() component.Config, section string, factories map[component.Type]F) {
	all[section] = map[string]func() component.Config{}
	for name, factory := range factories {
		all[section][name.String()] = factory.CreateDefaultConfig
	}
}

// suggestions are a line for each unknown key of the components of a configuration.
func suggestions(conf map[string]any, defaults map[string]map[string]func() component.Config) []string {
	var lines []string
	for _, section := range slices.Sorted(maps.Keys(defaults)) {
		components, _ := conf[section].(map[string]any)
		for _, id := range slices.Sorted(maps.Keys(components)) {
			kind, _, _ := strings.Cut(id, "/")
			raw, _ := components[id].(map[string]any)
			create, found := defaults[section][strings.TrimSpace(kind)]
			if raw == nil || !found {
				continue
			}
			for _, unknown := range confduration.UnknownKeys(raw, create()) {
				lines = append(lines, section+"::"+id+"::"+unknown.Path+": unknown key; "+meant(unknown))
			}
		}
	}
	return lines
}

func meant(unknown confduration.UnknownKey) string {
	if nearest, near := spelling.Nearest(unknown.Name, unknown.Known); near {
		return "did you mean " + nearest + "?"
	}
	return "the keys here are " + strings.Join(unknown.Known, ", ")
}
