// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Command alertreplay tries alert rules on recorded windows. Its README says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	switch err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "alertreplay:", err)
		os.Exit(1)
	}
}

// run replays a file, or standard input, with the rules of a configuration.
func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("alertreplay", flag.ContinueOnError)
	set.SetOutput(stderr)
	path := set.String("config", "", "collector configuration that holds the rules")
	id := set.String("connector", "alert", "id of the connector in it, as alert or alert/mine")
	set.Usage = func() {
		fmt.Fprintln(stderr, "alertreplay --config FILE [--connector ID] [WINDOWS.jsonl]")
		set.PrintDefaults()
	}
	if err := set.Parse(arguments); err != nil {
		return err
	}
	if *path == "" || set.NArg() > 1 {
		set.Usage()
		return errors.New("it takes --config and at most one file")
	}
	config, err := load(ctx, *path, *id)
	if err != nil {
		return err
	}
	input := stdin
	if set.NArg() == 1 {
		file, err := os.Open(set.Arg(0))
		if err != nil {
			return err
		}
		defer file.Close()
		input = file
	}
	return replay(ctx, config, input, stdout, stderr)
}
