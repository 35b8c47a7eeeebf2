// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package streampartitionerextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/streampartitionerextension/internal/metadata"
)

// NewFactory returns the factory of the stream_partitioner extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, createExtension, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config { return &Config{} }

func createExtension(_ context.Context, set extension.Settings, _ component.Config) (extension.Extension, error) {
	return &partitionerExtension{logger: set.Logger}, nil
}

// Config is empty: the partition key is fixed to (tenant_id, region).
type Config struct{}
