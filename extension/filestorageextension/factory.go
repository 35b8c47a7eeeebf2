// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package filestorageextension

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/filestorageextension/internal/metadata"
)

// NewFactory makes the factory of the file_storage extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config { return filestorage.NewFactory().CreateDefaultConfig() }

func createExtension(ctx context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	files, err := filestorage.NewFactory().Create(ctx, set, config)
	if err != nil {
		return nil, err
	}
	return &checkedStorage{
		Extension: files.(storage.Extension),
		directory: config.(*filestorage.Config).Directory,
		logger:    set.Logger,
	}, nil
}
