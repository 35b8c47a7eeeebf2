// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package configcheck adds to the Collector's validation of a configuration: the key
// that was probably meant where one is unknown, and warnings about what is valid and
// probably not intended.
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
	settings := conf.ToStringMap()
	r.checker.mutex.Lock()
	r.checker.conf = settings
	r.checker.mutex.Unlock()
	r.checker.unset.commit()
	if r.logger != nil {
		for _, warning := range plainText(settings) {
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
		for _, id := range ids(conf, section) {
			path := section + "::" + id
			create, found := creators[typeOf(id)]
			if !found {
				continue
			}
			if !used(conf, section, id) {
				where := "in no pipeline"
				if section == "extensions" {
					where = "not in service::extensions"
				}
				warnings = append(warnings, path+": is configured and "+where+", so it is not started")
				continue
			}
			raw, _ := settingsOf(conf, section, id)
			for _, warning := range componentWarnings(create(), raw, upstream(conf, section, id)) {
				warnings = append(warnings, path+"::"+warning)
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
// its data passes before. A duration without a unit is an error in components of the
// distribution and nanoseconds in all others.
func componentWarnings(config component.Config, raw map[string]any, types []string) []string {
	var warnings []string
	if err := confduration.Check(raw, config); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			warnings = append(warnings, line+"; this component reads it as nanoseconds")
		}
	}
	if confmap.NewFromStringMap(raw).Unmarshal(config) != nil {
		return warnings
	}
	if warned, ok := config.(interface{ Warnings() []string }); ok {
		warnings = append(warnings, warned.Warnings()...)
	}
	if input, ok := config.(interface{ WarningsOfInput(types []string) []string }); ok {
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
		if !slices.Contains(texts(pipeline["exporters"]), id) {
			continue
		}
		for _, key := range []string{"receivers", "processors"} {
			for _, name := range texts(pipeline[key]) {
				types = append(types, typeOf(name))
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
func (c *Checker) suggestions() []string {
	conf := c.latest()
	factories, err := c.set.Factories()
	if err != nil {
		return nil
	}
	defaults := defaultConfigs(factories)
	var lines []string
	for _, section := range slices.Sorted(maps.Keys(defaults)) {
		for _, id := range ids(conf, section) {
			raw, isMap := settingsOf(conf, section, id)
			create, found := defaults[section][typeOf(id)]
			if !isMap || !found {
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
	if near := didYouMean(unknown.Name, unknown.Known); near != "" {
		return near
	}
	return "the keys here are " + strings.Join(unknown.Known, ", ")
}

// Component is a component that the service starts.
type Component struct {
	Section, ID string
	Settings    map[string]any   // as configured; it may hold secrets
	Config      component.Config // with defaults
}

// Path names the component in a configuration.
func (c *Component) Path() string { return c.Section + "::" + c.ID }

// Type returns the type of the component.
func (c *Component) Type() string { return typeOf(c.ID) }

// Started returns the components that the service starts with the configuration that was
// read last, which is valid.
func (c *Checker) Started() ([]Component, error) {
	factories, err := c.set.Factories()
	if err != nil {
		return nil, err
	}
	conf, defaults := c.latest(), defaultConfigs(factories)
	var all []Component
	for _, section := range []string{"receivers", "processors", "connectors", "exporters", "extensions"} {
		for _, id := range ids(conf, section) {
			create, found := defaults[section][typeOf(id)]
			if !found || !used(conf, section, id) {
				continue
			}
			one := Component{Section: section, ID: id, Config: create()}
			one.Settings, _ = settingsOf(conf, section, id)
			if err := confmap.NewFromStringMap(one.Settings).Unmarshal(one.Config); err != nil {
				return nil, fmt.Errorf("%s: %w", one.Path(), err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}
