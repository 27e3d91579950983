# A Nix flake. Untested: nobody has run it yet. To try it in a clone of this repository:
#   nix build '.?dir=packaging'
{
  description = "Safe concurrent access to JSON memory files: locks, jq updates, durable writes";

  # The crate wants a recent Rust (rust-version in Cargo.toml).
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      cargo = builtins.fromTOML (builtins.readFile ../Cargo.toml);
      manifest = cargo.package // { inherit (cargo.workspace.package) version; };
      package =
        pkgs:
        pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          version = manifest.version;
          src = ../.;
          cargoLock.lockFile = ../Cargo.lock;

          nativeBuildInputs = [ pkgs.installShellFiles ];
          # On Linux the binary is linked statically (.cargo/config.toml).
          buildInputs = pkgs.lib.optional pkgs.stdenv.hostPlatform.isLinux pkgs.stdenv.cc.libc.static;
          # The tests drive shells and terminals that the build's sandbox has not.
          doCheck = false;

          postInstall = ''
            $out/bin/memlatch man man
            installManPage man/*.1
            installShellCompletion --cmd memlatch \
              --bash <($out/bin/memlatch completions bash) \
              --zsh <($out/bin/memlatch completions zsh) \
              --fish <($out/bin/memlatch completions fish)
            # bash and fish look for completions by the command's name.
            for tool in file-lock memory-update memory-read atomic-write; do
              ln -s memlatch $out/bin/$tool
              for name in $tool $tool.sh; do
                ln -s memlatch.bash $out/share/bash-completion/completions/$name.bash
                ln -s memlatch.fish $out/share/fish/vendor_completions.d/$name.fish
              done
            done
          '';

          meta = {
            description = manifest.description;
            license = pkgs.lib.licenses.mit;
            mainProgram = "memlatch";
          };
        };
    in
    {
      packages = nixpkgs.lib.genAttrs systems (system: {
        default = package nixpkgs.legacyPackages.${system};
      });
    };
}
