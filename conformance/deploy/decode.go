// Command decode reads manifests from standard input and refuses what their API does not have: unknown fields, unknown
// kinds, duplicate keys. It prints one line for each object. Kinds are those of Kubernetes, and the Shim of
// runtime-class-manager.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// shim is the Shim of https://github.com/spinframework/runtime-class-manager, runtime.spinkube.dev/v1alpha1.
type shim struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		NodeSelector  map[string]string `json:"nodeSelector"`
		FetchStrategy struct {
			Type     string `json:"type"`
			AnonHTTP struct {
				Location string `json:"location"`
			} `json:"anonHttp"`
		} `json:"fetchStrategy"`
		ContainerdRuntimeOptions map[string]string `json:"containerdRuntimeOptions"`
		RuntimeClass             struct {
			Name    string `json:"name"`
			Handler string `json:"handler"`
		} `json:"runtimeClass"`
		RolloutStrategy struct {
			Type string `json:"type"`
		} `json:"rolloutStrategy"`
	} `json:"spec"`
}

// decodeShim refuses a Shim with unknown fields, or without one that its schema requires.
func decodeShim(document []byte) error {
	var s shim
	if err := strict.UnmarshalStrict(document, &s); err != nil {
		return err
	}
	spec := s.Spec
	if spec.FetchStrategy.Type != "anonymousHttp" || spec.FetchStrategy.AnonHTTP.Location == "" || spec.RuntimeClass.Name == "" ||
		spec.RuntimeClass.Handler == "" || spec.RolloutStrategy.Type != "recreate" || spec.ContainerdRuntimeOptions == nil {
		return errors.New("a required field of the Shim is missing")
	}
	fmt.Println("Shim", s.Name)
	return nil
}

func run() error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, nodev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	count := 0
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var header metav1.TypeMeta
		if err := strict.Unmarshal(document, &header); err != nil {
			return err
		}
		if header.APIVersion == "runtime.spinkube.dev/v1alpha1" && header.Kind == "Shim" {
			if err := decodeShim(document); err != nil {
				return err
			}
			count++
			continue
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return fmt.Errorf("document %d: %w", count+1, err)
		}
		named, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		fmt.Printf("%s %s\n", kind.Kind, named.GetName())
		count++
	}
	if count == 0 {
		return errors.New("no document")
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "decode:", err)
		os.Exit(1)
	}
}
