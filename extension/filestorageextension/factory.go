// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package filestorageextension

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/filestorageextension/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
)

// NewFactory returns the factory of the file_storage extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

// Config has the keys of the Collector's file_storage.
type Config struct {
	filestorage.Config `mapstructure:",squash"`
}

// Unmarshal rejects durations without a unit.
func (c *Config) Unmarshal(conf *confmap.Conf) error { return confduration.Unmarshal(conf, c) }

// Validate names the directory by its absolute path.
func (c *Config) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return directoryError(c.Directory, err)
	}
	return nil
}

func createDefaultConfig() component.Config {
	return &Config{Config: *filestorage.NewFactory().CreateDefaultConfig().(*filestorage.Config)}
}

func createExtension(ctx context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	own := config.(*Config)
	files, err := filestorage.NewFactory().Create(ctx, set, &own.Config)
	if err != nil {
		return nil, directoryError(own.Directory, err)
	}
	return &checkedStorage{
		Extension: files.(storage.Extension),
		directory: own.Directory,
		logger:    set.Logger,
	}, nil
}
