// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector"
)

// load returns the configuration of a connector from a collector's configuration, as the
// collector loads it, or from a rules file, which has no connectors.
func load(ctx context.Context, path, id string) (*alertconnector.Config, error) {
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{"file:" + path},
		ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
		DefaultScheme:     "env",
	})
	if err != nil {
		return nil, err
	}
	conf, err := resolver.Resolve(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	config := alertconnector.NewFactory().CreateDefaultConfig().(*alertconnector.Config)
	if !conf.IsSet("connectors") && conf.IsSet("rules") {
		config.RulesFile = path
		if err := config.Validate(); err != nil {
			return nil, err
		}
		return config, nil
	}
	key := "connectors::" + id
	if !conf.IsSet(key) {
		return nil, fmt.Errorf("%s: %s: there is no such key; set another with --connector", path, key)
	}
	section, err := conf.Sub(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, key, err)
	}
	if err := section.Unmarshal(config); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, key, err)
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, key, err)
	}
	return config, nil
}
