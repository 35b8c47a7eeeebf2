// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// Problems returns an error for each setting of the configuration read last that the
// Collector's validation accepts and that fails at start or at the first connection: a
// reference to an extension that the service does not start, a port above 65535, and a
// host that is a placeholder. Components in no pipeline are not checked.
func (c *Checker) Problems() error {
	conf := c.latest()
	factories, err := c.set.Factories()
	if err != nil {
		return err
	}
	var errs []error
	defaults := defaultConfigs(factories)
	started := serviceExtensions(conf)
	for _, section := range slices.Sorted(maps.Keys(defaults)) {
		for _, id := range ids(conf, section) {
			if !used(conf, section, id) {
				continue
			}
			raw, _ := settingsOf(conf, section, id)
			path := section + confmap.KeyDelimiter + id
			if create, found := defaults[section][typeOf(id)]; found {
				for _, reference := range confduration.References(raw, create()) {
					errs = append(errs, checkReference(path+confmap.KeyDelimiter+reference.Path, reference.ID, started, ids(conf, "extensions")))
				}
			}
			eachAddress(path, raw, func(path, address string) { errs = append(errs, checkAddress(path, address)) })
		}
	}
	return errors.Join(errs...)
}

func checkReference(path, id string, started, configured []string) error {
	switch {
	case slices.Contains(started, id):
		return nil
	case slices.Contains(configured, id):
		return fmt.Errorf("%s: %s: is not in service::extensions, so it is not started", path, id)
	}
	hint := "the extensions of the service are " + strings.Join(started, ", ")
	if near := didYouMean(id, started); near != "" {
		hint = near
	} else if len(started) == 0 {
		hint = "the service has no extensions"
	}
	return fmt.Errorf("%s: %s: no extension has this ID; %s", path, id, hint)
}

// EachAddress calls found for each endpoint and broker in the settings of a component, with
// its key.
func EachAddress(settings map[string]any, found func(key, address string)) {
	eachAddress("", settings, func(path, address string) {
		found(strings.TrimPrefix(path, confmap.KeyDelimiter), address)
	})
}

// eachAddress calls found for each endpoint and broker of a component.
func eachAddress(path string, value any, found func(path, address string)) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			eachAddress(path+confmap.KeyDelimiter+strconv.Itoa(i), item, found)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			here := path + confmap.KeyDelimiter + key
			if text, ok := v[key].(string); ok && (key == "endpoint" || strings.HasSuffix(key, "_endpoint") || key == "brokers") {
				found(here, text)
			}
			if list, ok := v[key].([]any); ok && key == "brokers" {
				for _, broker := range list {
					if text, ok := broker.(string); ok {
						found(here, text)
					}
				}
			}
			eachAddress(here, v[key], found)
		}
	}
}

const maxPort = 65535

// checkAddress checks a URL or host:port. What is neither is left to the component.
func checkAddress(path, text string) error {
	host, port, err := net.SplitHostPort(text)
	if strings.Contains(text, "://") {
		_, rest, _ := strings.Cut(text, "://")
		rest, _, _ = strings.Cut(rest, "/")
		host, port = rest, ""
		if u, err := url.Parse(text); err == nil {
			host, port = u.Hostname(), u.Port()
		}
	} else if err != nil {
		host, port = text, ""
	}
	if strings.ContainsAny(host, "<>{}$") {
		return fmt.Errorf("%s: %s: is a placeholder, not a host", path, host)
	}
	if n, err := strconv.ParseUint(port, 10, 64); err == nil && n > maxPort {
		return fmt.Errorf("%s: port %s: must be at most %d", path, port, maxPort)
	}
	return nil
}

// settingsOf returns the settings of a component; found is false where there are none.
func settingsOf(conf map[string]any, section, id string) (settings map[string]any, found bool) {
	components, _ := conf[section].(map[string]any)
	settings, found = components[id].(map[string]any)
	return settings, found
}

// ids are the configured components of a section, sorted.
func ids(conf map[string]any, section string) []string {
	components, _ := conf[section].(map[string]any)
	return slices.Sorted(maps.Keys(components))
}

func typeOf(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	return strings.TrimSpace(kind)
}

func serviceExtensions(conf map[string]any) []string {
	service, _ := conf["service"].(map[string]any)
	return texts(service["extensions"])
}

// used is whether the service starts a component.
func used(conf map[string]any, section, id string) bool {
	if section == "extensions" {
		return slices.Contains(serviceExtensions(conf), id)
	}
	keys := []string{section}
	if section == "connectors" {
		keys = []string{"receivers", "exporters"}
	}
	service, _ := conf["service"].(map[string]any)
	pipelines, _ := service["pipelines"].(map[string]any)
	for _, raw := range pipelines {
		pipeline, _ := raw.(map[string]any)
		for _, key := range keys {
			if slices.Contains(texts(pipeline[key]), id) {
				return true
			}
		}
	}
	return false
}

// texts are the strings of a list.
func texts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			all = append(all, text)
		}
	}
	return all
}
