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
}

// Watch makes a Checker of the configurations that are read with set. What is sent in
// plain text to another host is logged each time.
func Watch(set *otelcol.CollectorSettings) *Checker {
	c := &Checker{}
	resolver := &set.ConfigProviderSettings.ResolverSettings
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
// intended. Components add theirs by a method Warnings of their configuration.
func (c *Checker) Warnings() []string {
	conf := c.latest()
	warnings := plainText(conf)
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
			config := create()
			warned, ok := config.(interface{ Warnings() []string })
			settings, isMap := raw.(map[string]any)
			if !ok || !isMap || confmap.NewFromStringMap(settings).Unmarshal(config) != nil {
				continue
			}
			for _, warning := range warned.Warnings() {
				warnings = append(warnings, section+"::"+id+"::"+warning)
			}
		}
	}
	slices.Sort(warnings)
	return warnings
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
