# A Homebrew formula. Untested: nobody has run it on a Mac yet. To try it in a clone of this repository:
#   brew install --build-from-source --HEAD packaging/memlatch.rb
# A release sets url and sha256 (docs/releasing.md).
class Memlatch < Formula
  desc "Safe concurrent access to JSON memory files: locks, jq updates, durable writes"
  homepage "https://example.org/memlatch"
  url "https://example.org/memlatch/archive/v0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"
  head "file://#{File.expand_path("..", __dir__)}", using: :git

  depends_on "rust" => :build

  TOOLS = %w[file-lock memory-update memory-read atomic-write].freeze

  def install
    system "cargo", "install", *std_cargo_args
    TOOLS.each { |tool| bin.install_symlink bin/"memlatch" => tool }

    man1.mkpath
    system bin/"memlatch", "man", man1

    generate_completions_from_executable(bin/"memlatch", "completions", shells: [:bash, :zsh, :fish])
    # bash and fish look for completions by the command's name.
    TOOLS.product(["", ".sh"]).each do |tool, ending|
      bash_completion.install_symlink bash_completion/"memlatch" => "#{tool}#{ending}"
      fish_completion.install_symlink fish_completion/"memlatch.fish" => "#{tool}#{ending}.fish"
    end
  end

  test do
    ENV["AICONFIG_PATH"] = testpath
    system bin/"memory-update", "notes.json", ".count += 1", "--create"
    assert_equal "1", shell_output("#{bin}/memory-read notes.json .count").strip
  end
end
